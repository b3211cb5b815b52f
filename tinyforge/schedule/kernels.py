"""Kernel calls of an operator with more and with less scratch, and which of them a plan has room for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tinyforge.ir.graph import Graph
from tinyforge.ir.memory_plan import Buffer, MemoryPlan
from tinyforge.ir.program import KernelCall
from tinyforge.ir.schedule import FusedStage, Schedule
from tinyforge.memory.plan import ALIGN, replan
from tinyforge.ops.base import Op
from tinyforge.ops.stage_windows import walk_stage

Calls = tuple[KernelCall, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Kernels:
    """``variants[i]``: the calls of operator i, the fastest first, with less and less scratch."""

    variants: tuple[Calls, ...]

    @property
    def fast(self) -> Calls:
        return tuple(v[0] for v in self.variants)

    @property
    def slim(self) -> Calls:
        return tuple(v[-1] for v in self.variants)

    def fitted(self, graph: Graph, schedule: Schedule) -> Kernels:
        """The same without scratch that row segments of the schedule's pieces have no use for."""
        found = list(self.variants)
        for i, (widths, slices) in _segments(graph, schedule).items():
            node = graph.nodes[i]
            assert isinstance(node.op, Op)
            ins, outs = graph.ins(node), graph.outs(node)
            narrowed = [node.op.fitted(call, ins, outs, widths, slices) for call in found[i]]
            found[i] = tuple({call.scratch_bytes: call for call in narrowed}.values())
        return Kernels(tuple(found))

    def grown(self, plan: MemoryPlan, limit: int) -> tuple[MemoryPlan, Calls]:
        """Faster calls instead of the slim ones ``plan`` was made for where the arena has a gap for their scratch in
        their step, below ``limit`` bytes. Nothing else moves."""
        calls = list(self.slim)
        timeline = list(plan.timeline)
        scratch, sizes = dict(plan.scratch), dict(plan.scratch_bytes)
        for node, variants in enumerate(self.variants):
            if len(variants) == 1 or node not in scratch:
                continue
            own = next(n for n, b in enumerate(timeline) if _is_scratch(b, node, scratch[node]))
            busy = [b for n, b in enumerate(timeline) if n != own and b.first_use <= node <= b.last_use]
            offset, room = _largest_gap(busy, limit)
            calls[node] = next((c for c in variants if c.scratch_bytes <= room), variants[-1])
            if calls[node] is not variants[-1]:
                scratch[node], sizes[node] = offset, calls[node].scratch_bytes
                timeline[own] = replace(timeline[own], offset=offset, nbytes=sizes[node])
        return replan(plan, scratch, sizes, timeline), tuple(calls)


def _is_scratch(buffer: Buffer, node: int, offset: int) -> bool:
    return buffer.kind == "scratch" and buffer.first_use == buffer.last_use == node and buffer.offset == offset


def _largest_gap(busy: Sequence[Buffer], limit: int) -> tuple[int, int]:
    """(offset, bytes) of the largest free range of the arena, its start aligned."""
    best, top = (0, 0), 0
    for begin, end in sorted([*((b.offset, b.offset + b.nbytes) for b in busy), (limit, limit)]):
        start = -(-top // ALIGN) * ALIGN
        if begin - start > best[1]:
            best = start, begin - start
        top = max(top, end)
    return best


def fitted(graph: Graph, schedule: Schedule, calls: Sequence[KernelCall]) -> Calls:
    """``calls``, in fused stages with no more scratch than the row segments of the stage's pieces need."""
    return Kernels(tuple((call,) for call in calls)).fitted(graph, schedule).fast


def _segments(graph: Graph, schedule: Schedule) -> dict[int, tuple[frozenset[int], int]]:
    """Widths in pixels of the row segments that nodes in fused stages compute, and how many slices of channels."""
    found = {}
    for stage in schedule.stages:
        if isinstance(stage, FusedStage):
            walk = walk_stage(graph, stage)
            for node in walk.nodes:
                columns = walk.cols.tensors[node.outputs[0]]
                widths = frozenset(int(n) for n in columns.exec_hi - columns.exec_lo if n > 0)
                found[node.index] = widths, stage.slices
    return found


def kernels(graph: Graph, calls: Sequence[KernelCall], narrow: bool) -> Kernels:
    """``calls`` and what does the same with less scratch; ``narrow`` calls too, or not."""
    found = []
    for node, call in zip(graph.nodes, calls, strict=True):
        assert isinstance(node.op, Op)
        slim = node.op.lower_slim(call, graph.ins(node), graph.outs(node)) if call.scratch_bytes else ()
        found.append((call, *(s for s in slim if s.scratch_bytes < call.scratch_bytes and s.narrow <= narrow)))
    return Kernels(tuple(found))
