"""Paths with their exact plans, and how they are sped up: what the optimiser compares."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tinyforge.ir.graph import Graph
from tinyforge.ir.memory_plan import MemoryPlan
from tinyforge.ir.program import KernelCall
from tinyforge.ir.schedule import FusedStage, Schedule
from tinyforge.memory.plan import plan_memory
from tinyforge.ops.stage_windows import executed_macs, walk_stage
from tinyforge.schedule.estimate import Costs, plan_cycles, stage_estimates
from tinyforge.schedule.kernels import Kernels, fitted, kernels
from tinyforge.schedule.network import Path, layer_edges
from tinyforge.schedule.options import Options
from tinyforge.schedule.space import Space, make_space

MOST_EXTRA = 1.5
"""Factor above which nothing is looked for where no factor is given: more recomputation never paid."""
ROOM = 4
"""Bytes to which the room that faster kernels need is settled."""


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """A path with its exact plan and work, run with ``calls``; ``stage_cycles``: estimated, one a stage."""

    path: Path
    schedule: Schedule
    plan: MemoryPlan
    macs: int
    calls: tuple[KernelCall, ...]
    stage_cycles: tuple[int, ...]

    @property
    def cycles(self) -> int:
        return sum(self.stage_cycles)

    @property
    def nbytes(self) -> int:
        return self.plan.arena_bytes


class Answers:
    """Plans of paths through one network, for ``options``."""

    def __init__(self, graph: Graph, calls: Sequence[KernelCall], options: Options) -> None:
        self.graph, self.options = graph, options
        self.calls = tuple(calls)
        self.costs = Costs(graph)
        self.space: Space = make_space(graph, self.calls, self.costs.all(self.calls))
        self.kernels: Kernels | None = None
        if options.objective == "sram" and options.schedule != "layerwise":
            self.use_slim()
        self.fed = options.input == "rows"
        self.total = max(self.space.total_macs, 1)

    def layers(self) -> Path:
        return Path(tuple(e for group in layer_edges(self.space, False) for e in group))

    def use_slim(self) -> None:
        """From now on every operator takes its call with the least scratch; plans then get faster ones back."""
        self.kernels = kernels(self.graph, self.calls, self.options.simd)
        self.space = make_space(self.graph, self.kernels.slim, self.costs.all(self.calls))
        self.calls = self.kernels.slim

    def grown(self, best: Answer, limit: int) -> Answer:
        """The same schedule with faster kernels wherever their scratch fits into ``limit`` bytes."""
        if self.kernels is None or best.calls != self.calls:
            return best
        plan, calls = self.kernels.fitted(self.graph, best.schedule).grown(best.plan, limit)
        return replace(best, plan=plan, calls=calls, stage_cycles=plan_cycles(self.costs, best.schedule, plan, calls))

    def most_macs(self) -> float:
        return self.options.factor * self.total + 1e-6

    def extra(self) -> int:
        """Recomputed MACs that a stage may have."""
        factor = self.options.factor if math.isfinite(self.options.factor) else MOST_EXTRA
        return int((factor - 1) * self.total) + 1

    def in_time(self, answer: Answer, most: int, cycles: float) -> Answer | None:
        """``answer`` with as many bytes, up to ``most``, as its kernels need to keep the limit of cycles; None where
        they cannot."""
        found = self.grown(answer, answer.nbytes)
        if found.cycles <= cycles:
            return found
        found = self.grown(answer, most)
        if found.cycles > cycles:
            return None
        low = answer.nbytes
        while low + ROOM < found.nbytes:
            middle = self.grown(answer, (low + found.nbytes) // 2)
            if middle.cycles <= cycles:
                found = middle
            else:
                low = (low + found.nbytes) // 2
        again = self.answer(answer.path, effort=4000, calls=found.calls, below=found.nbytes)
        return again if again.nbytes < found.nbytes and again.cycles <= cycles else found

    def answer(
        self, path: Path, effort: int, calls: tuple[KernelCall, ...] | None = None, below: int | None = None
    ) -> Answer:
        schedule = path.schedule(self.space, self.fed)
        if calls is None:
            calls = self.calls if self.kernels else fitted(self.graph, schedule, self.calls)
        moves = self.options.schedule != "layerwise" and any(isinstance(s, FusedStage) for s in schedule.stages)
        plan = plan_memory(self.graph, schedule, calls, effort=effort, below=below, moves=moves)
        macs = 0
        for stage in schedule.stages:
            if isinstance(stage, FusedStage):
                macs += executed_macs(self.graph, walk_stage(self.graph, stage))
            else:
                macs += self.space.macs[stage.node]
        return Answer(path, schedule, plan, macs, calls, plan_cycles(self.costs, schedule, plan, calls))

    def least_cycles(self, path: Path) -> int:
        """Cycles of a path with its fastest kernels."""
        schedule = path.schedule(self.space, self.fed)
        calls = self.kernels.fast if self.kernels else self.calls
        return sum(stage_estimates(self.graph, schedule, self.costs.run(schedule, calls)))
