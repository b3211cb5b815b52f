"""What a fused stage holds from band to band: the memory timeline at the granularity of rows."""

from __future__ import annotations

from dataclasses import dataclass

from tinyforge.ir.graph import Graph
from tinyforge.ir.memory_plan import LayoutKind, MemoryPlan
from tinyforge.ir.schedule import FusedStage, Schedule
from tinyforge.ops.stage_windows import AxisTensor, StageWalk, walk_stage

_HOW = {
    LayoutKind.WHOLE: "whole",
    LayoutKind.ROW_RING: "line buffer",
    LayoutKind.LANES: "line buffer, swept in columns",
    LayoutKind.WINDOW: "piece, recomputed rows",
}


@dataclass(frozen=True, slots=True)
class HeldTensor:
    """A tensor inside a fused stage. ``how`` it is held, ``rows`` of it at most and of ``height`` in all, ``nbytes``
    reserved for that, and the bytes of rows really held in every band."""

    name: str
    how: str
    kind: str
    rows: int
    height: int
    nbytes: int
    bytes_by_band: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class StageBands:
    """A fused stage band by band. ``first``, ``last``: its operators; ``slices``: how often all bands run, each time
    for a share of the channels, which ``tensors`` hold."""

    first: int
    last: int
    bands: int
    tensors: tuple[HeldTensor, ...]
    slices: int = 1


def stage_bands(graph: Graph, schedule: Schedule, plan: MemoryPlan) -> tuple[StageBands, ...]:
    """Every fused stage of a schedule."""
    found = []
    for number, stage in enumerate(schedule.stages):
        if isinstance(stage, FusedStage):
            walk = walk_stage(graph, stage)
            names = [t for node in walk.nodes[:-1] for t in node.outputs]
            if schedule.input_rows and number == 0:
                names.insert(0, graph.inputs[0])
            held = tuple(_held(graph, plan, walk, name) for name in names if name in plan.placements)
            found.append(StageBands(stage.first, stage.last, walk.rows.count, held, stage.slices))
    return tuple(found)


def _held(graph: Graph, plan: MemoryPlan, walk: StageWalk, name: str) -> HeldTensor:
    layout, rows = plan.placements[name].layout, walk.rows.tensors[name]
    height = graph.tensors[name].type.hwc[0]
    counts = _rows_by_band(rows, layout.kind, height)[walk.rows.warm :]
    per_row = layout.nbytes // max(layout.rows, 1)
    fed = name in graph.inputs
    return HeldTensor(
        name=name,
        how="rows of the input, fed" if fed else _HOW[layout.kind],
        kind="input" if fed else "patch" if layout.kind is LayoutKind.WINDOW else "line-buffer",
        rows=max(counts, default=0),
        height=height,
        nbytes=layout.nbytes,
        bytes_by_band=tuple(min(count * per_row, layout.nbytes) for count in counts),
    )


def _rows_by_band(rows: AxisTensor, kind: LayoutKind, height: int) -> list[int]:
    """Rows there are in each band: of a piece what the band needs; else from the oldest that is still needed."""
    if kind is LayoutKind.WHOLE:
        return [min(int(done), height) for done in rows.done]
    if kind is LayoutKind.WINDOW:
        return [max(int(hi - lo), 0) for lo, hi in zip(rows.need_lo, rows.need_hi, strict=True)]
    return [max(int(done - keep), 0) for keep, done in zip(rows.keep_lo, rows.done, strict=True)]
