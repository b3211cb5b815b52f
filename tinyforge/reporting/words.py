"""Schedules, memory plans and quantisation in words: what opens the generated header and what the tables show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tinyforge.ir.graph import Graph
from tinyforge.ir.memory_plan import Buffer, MemoryPlan
from tinyforge.ir.schedule import FusedStage, Halo, LayerStage, Schedule, Stage
from tinyforge.ir.types import TensorType
from tinyforge.ops.base import Op
from tinyforge.ops.stage_windows import executed_macs, walk_stage

if TYPE_CHECKING:
    from tinyforge.device.result import LayerProfile

_WIDEST_NAME = 44


@dataclass(frozen=True, slots=True)
class StageSummary:
    """One stage in numbers. ``grid``: pieces of its output, rows x columns; ``patch``: output pixels of one piece.
    ``cached``: tensors inside held in line buffers. MACs are without and with recomputation. ``passes``: which of the
    operators run twice, in words. ``slices``: shares of the channels that are made one after the other."""

    kind: str
    nodes: tuple[int, ...]
    names: tuple[str, ...]
    grid: tuple[int, int]
    patch: tuple[int, int]
    cached: tuple[str, ...]
    macs: int
    executed_macs: int
    passes: str = ""
    slices: int = 1


def stage_summary(graph: Graph, stage: Stage) -> StageSummary:
    """A stage in numbers."""
    if isinstance(stage, LayerStage):
        node = graph.nodes[stage.node]
        height, width, _ = graph.outs(node)[0].type.hwc
        macs = node_macs(graph, stage.node)
        own = own_macs(graph, stage.node)
        return StageSummary("layer", (stage.node,), (node.name,), (1, 1), (height, width), (), own, macs)
    walk = walk_stage(graph, stage)
    nodes = tuple(range(stage.first, stage.last + 1))
    return StageSummary(
        kind="fused",
        nodes=nodes,
        names=tuple(graph.nodes[i].name for i in nodes),
        grid=(walk.rows.count, walk.cols.count),
        patch=(stage.patch_h, stage.patch_w),
        cached=_cached(stage),
        macs=sum(own_macs(graph, i) for i in nodes),
        executed_macs=executed_macs(graph, walk),
        passes=_passes(graph, nodes),
        slices=stage.slices,
    )


def _passes(graph: Graph, nodes: Sequence[int]) -> str:
    """Which of the nodes run a second time later, and which are such second runs."""
    pairs = [(i, r) for i in range(len(graph.nodes)) if (r := repeated_node(graph, i)) is not None]
    first = [(r, i) for i, r in pairs if r in nodes]
    second = [(i, r) for i, r in pairs if i in nodes]
    found = [f"pass 2 of {_range([r for _, r in second])} in {_range([i for i, _ in second])}"] if second else []
    found += (
        [f"pass 1 of {_range([r for r, _ in first])}, which run again in {_range([i for _, i in first])}"]
        if first
        else []
    )
    return "; ".join(found)


def _range(nodes: Sequence[int]) -> str:
    return f"{min(nodes)}..{max(nodes)}" if len(nodes) > 1 else str(nodes[0])


def repeated_node(graph: Graph, index: int) -> int | None:
    """The node that node ``index`` repeats."""
    name = graph.nodes[index].repeats
    return next((i for i, node in enumerate(graph.nodes) if node.name == name), None) if name else None


def own_macs(graph: Graph, index: int) -> int:
    """The same as the network needs them: none for an operator's second pass."""
    return 0 if graph.nodes[index].repeats else node_macs(graph, index)


def _cached(stage: FusedStage) -> tuple[str, ...]:
    return tuple(name for name, mode in stage.modes if mode.rows is Halo.CACHE)


def node_macs(graph: Graph, index: int) -> int:
    """Multiply-accumulates of one operator."""
    node = graph.nodes[index]
    assert isinstance(node.op, Op)
    return node.op.macs(graph.ins(node), graph.outs(node))


def schedule_lines(graph: Graph, schedule: Schedule) -> list[str]:
    """The schedule in words, one line a fused stage or run of layers."""
    lines: list[str] = []
    run: list[int] = []
    for stage in schedule.stages:
        if isinstance(stage, LayerStage):
            run.append(stage.node)
            continue
        lines += _layers(graph, run)
        run = []
        lines.append(fused_line(stage_summary(graph, stage)))
    return lines + _layers(graph, run)


def fused_line(stage: StageSummary) -> str:
    """A fused stage in one line."""
    rows, cols = stage.grid
    factor = stage.executed_macs / stage.macs if stage.macs else 1.0
    kept, between = len(stage.cached), len(stage.nodes) - 1
    halo = f"{kept} of {between} tensors between them in line buffers"
    if not kept:
        halo = "halos recomputed"
    elif kept == between:
        halo = "all tensors between them in line buffers"
    if factor > 1:
        halo += f", x{factor:.3f} their MACs"
    passes = f"{stage.passes}; " if stage.passes else ""
    pieces = f"{rows} x {cols} patches of {stage.patch[0]} x {stage.patch[1]} output pixels"
    if cols == 1:
        pieces = f"{rows} bands of {stage.patch[0]} output row{'s' * (stage.patch[0] > 1)}"
    slices = f"{stage.slices} slices of the channels, each in " if stage.slices > 1 else ""
    return f"{_span(stage.nodes, stage.names)} in {slices}{pieces}; {passes}{halo}"


def _layers(graph: Graph, run: Sequence[int]) -> list[str]:
    return [f"{_span(run, [graph.nodes[i].name for i in run])} layer by layer"] if run else []


def _span(nodes: Sequence[int], names: Sequence[str]) -> str:
    if len(nodes) == 1:
        return f"operator {nodes[0]} ({short(names[0])})"
    return f"operators {nodes[0]}..{nodes[-1]} ({short(names[0])} .. {short(names[-1])})"


def short(name: str, width: int = _WIDEST_NAME) -> str:
    """The telling part of a name: converters join the names of fused operators with ``;``, the end differs most."""
    name = name.split(";")[0]
    return name if len(name) <= width else "..." + name[3 - width :]


def tensor_line(name: str, kind: TensorType) -> str:
    """A model input or output: ``x: int8 1x32x32x1, real = 0.0039 * (q + 128)``."""
    text = f"{short(name)}: {kind.dtype.value} {'x'.join(map(str, kind.shape))}"
    if kind.quant is None:
        return text
    sign = "-" if kind.zero_point >= 0 else "+"
    return f"{text}, real = {kind.scale:.9g} * (q {sign} {abs(kind.zero_point)})"


def arena_lines(plan: MemoryPlan) -> list[str]:
    """The arena plan as a table: offset, bytes, steps, what; one table a bank where there are several."""
    if len(plan.parts) < 2:
        return _part_lines(plan.timeline, 0)
    lines = []
    for part in plan.parts:
        inside = [b for b in plan.timeline if plan.part(b.offset) == part]
        lines += [f"bank {part.bank}: {part.used_bytes:,} B", *_part_lines(inside, part.start)]
    return lines


def _part_lines(buffers: Sequence[Buffer], start: int) -> list[str]:
    lines = ["  offset    bytes    steps      kind         tensors"]
    for b in sorted(buffers, key=lambda b: (b.first_use, b.offset)):
        steps = f"{b.first_use}..{b.last_use}"
        lines.append(f"{b.offset - start:8d} {b.nbytes:8d}    {steps:<9}  {b.kind:<11}  {_buffer_names(b)}")
    return lines


def _buffer_names(buffer: Buffer) -> str:
    names = [short(n, 36) for n in buffer.names]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def peak_line(graph: Graph, plan: MemoryPlan) -> str:
    """Where the arena is fullest."""
    node = graph.nodes[plan.peak_step]
    largest = ", ".join(short(name.split("/")[0] if "/" in name else name, 36) for name in plan.peak_buffers[:3])
    return f"peak at step {plan.peak_step}, {node.op.kind} {short(node.name)}: {largest}"


def profile_core(core: str, profile: Sequence[LayerProfile]) -> str:
    """Which of a profile's cycle estimates is shown for a board with ``core``: its own, with wait states of the flash
    where those were estimated, else that of the Cortex-M4."""
    known = list(profile[0].estimated_cycles) if profile else []
    return next((name for name in reversed(known) if name.split("@")[0] == core), "cortex-m4")
