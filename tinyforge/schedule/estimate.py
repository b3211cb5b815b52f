"""Estimated instructions of a schedule with given kernel calls, from the windows it really runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinyforge.ir.graph import Graph
from tinyforge.ir.memory_plan import MemoryPlan
from tinyforge.ir.program import KernelCall
from tinyforge.ir.schedule import FusedStage, Schedule
from tinyforge.ops.channel_slices import sliced_calls
from tinyforge.ops.stage_windows import AxisTensor, StageWalk, walk_stage
from tinyforge.schedule.cycles import PER_MOVED_BYTE, PER_PIECE, PER_RING, NodeCost, node_cost


class Costs:
    """Costs of the kernel calls of one graph, each worked out once."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.known: dict[tuple[int, KernelCall], NodeCost] = {}

    def run(self, schedule: Schedule, calls: Sequence[KernelCall]) -> tuple[NodeCost, ...]:
        """One for each node, those of sliced stages for one slice."""
        found = list(self.all(calls))
        for stage in schedule.stages:
            if isinstance(stage, FusedStage) and stage.slices > 1:
                for i, call in enumerate(sliced_calls(self.graph, stage, calls), stage.first):
                    found[i] = node_cost(self.graph, call, i, stage.slices)
        return tuple(found)

    def all(self, calls: Sequence[KernelCall]) -> tuple[NodeCost, ...]:
        """One for each node."""
        found = []
        for key in enumerate(calls):
            if key not in self.known:
                self.known[key] = node_cost(self.graph, key[1], key[0])
            found.append(self.known[key])
        return tuple(found)


def stage_estimates(graph: Graph, schedule: Schedule, costs: Sequence[NodeCost]) -> tuple[int, ...]:
    """Instructions of each stage; ``costs`` as of ``Costs.run``."""
    return tuple(
        _fused(walk_stage(graph, stage), costs) if isinstance(stage, FusedStage) else costs[stage.node].layer
        for stage in schedule.stages
    )


def plan_cycles(costs: Costs, schedule: Schedule, plan: MemoryPlan, calls: Sequence[KernelCall]) -> tuple[int, ...]:
    """Estimate of each stage, with the moves of the plan before it."""
    found = list(stage_estimates(costs.graph, schedule, costs.run(schedule, calls)))
    begins = {s.first if isinstance(s, FusedStage) else s.node: i for i, s in enumerate(schedule.stages)}
    for move in plan.moves:
        found[begins[move.step]] += round(PER_MOVED_BYTE * move.nbytes)
    return tuple(found)


def _fused(walk: StageWalk, costs: Sequence[NodeCost]) -> int:
    pieces = (walk.rows.warm + walk.rows.count) * (walk.cols.warm + walk.cols.count)
    total = float(PER_PIECE * pieces * len(walk.nodes))
    for node in walk.nodes:
        lengths = _lengths(walk.cols.tensors[node.outputs[0]])
        ring = PER_RING if walk.cols.count > 1 else 0
        row = sum((costs[node.index].segments[n] + ring) * count for n, count in lengths.items())
        total += walk.rows.tensors[node.outputs[0]].exec_total * row
    return int(total * walk.stage.slices)


def _lengths(columns: AxisTensor) -> dict[int, int]:
    """How many pieces compute so many columns."""
    sizes, counts = np.unique(np.maximum(columns.exec_hi - columns.exec_lo, 0), return_counts=True)
    return {int(n): int(c) for n, c in zip(sizes, counts, strict=True) if n > 0}
