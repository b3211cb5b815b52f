"""Chooses the schedule of a network: the fastest that fits, or the smallest that is fast enough."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from tinyforge.errors import DoesNotFit
from tinyforge.ir.graph import Graph
from tinyforge.ir.memory_plan import MemoryPlan
from tinyforge.ir.program import KernelCall
from tinyforge.ir.schedule import FusedStage, Schedule
from tinyforge.memory.plan import ALIGN, plan_memory
from tinyforge.ops.stage_windows import executed_macs, walk_stage
from tinyforge.schedule.estimate import Costs, stage_estimates
from tinyforge.schedule.explain import explain, refusal, too_slow
from tinyforge.schedule.families import FAMILIES, family_edges
from tinyforge.schedule.fast import Fast, wire_graph
from tinyforge.schedule.fast_answer import as_path, fast_answer
from tinyforge.schedule.kernels import Kernels, fitted, kernels
from tinyforge.schedule.network import (
    Edges,
    Path,
    all_edges,
    by_cycles,
    by_macs,
    few_edges,
    layer_edges,
    shortest,
    smallest,
    within,
)
from tinyforge.schedule.options import OBJECTIVES, SCHEDULES, Options, Planned, ScheduleResult, StageCost
from tinyforge.schedule.space import Space, make_space
from tinyforge.schedule.stage_cost import Limits

__all__ = ["OBJECTIVES", "SCHEDULES", "Options", "ScheduleResult", "optimise"]

NO_LIMIT = 1 << 62
LOOSE, MUCH_LESS = 1.15, 0.95
"""Cycles over the limit, and share of the bytes, at which paths beyond the limit of cycles are looked at."""
NEARLY = 1.05
"""Cycles over the limit at which faster kernels may make up for it."""
FINALISTS = 8
"""Paths that are planned exactly, at most."""
SLACK = 16
"""Part of the bytes looked for that stages may be larger."""
MOST_EXTRA = 1.5
"""Factor above which nothing is looked for where no factor is given: more recomputation never paid."""


def optimise(
    graph: Graph,
    calls: Sequence[KernelCall],
    sram_bytes: int | None = None,
    options: Options | None = None,
    where: str = "the board",
) -> ScheduleResult:
    """The best schedule of ``graph`` for ``options`` within ``sram_bytes`` (None: no limit) of arena.

    ``where`` names the board in messages. Raises DoesNotFit with the peak, the best reachable figure and what to try.
    """
    options = options or Options()
    if options.level == "fast" and options.schedule == "auto":
        return fast_answer(graph, calls, sram_bytes, options, where)
    search = _Search(graph, calls, sram_bytes if sram_bytes is not None else NO_LIMIT, options, where)
    return search.run()


@dataclass(frozen=True, slots=True, eq=False)
class _Answer:
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


def cycle_limit(space: Space, options: Options) -> float:
    """Estimated cycles of layer by layer times the factor. Nodes that repeat others count there unless the factor was
    asked for: their work is limited by the MAC factor."""
    nodes = zip(space.layer_cycles, space.graph.nodes, strict=True)
    strict = options.max_cycle_factor is not None
    return options.cycle_factor * sum(cycles for cycles, node in nodes if not (strict and node.repeats))


class _Search:
    """One question about one network."""

    def __init__(self, graph: Graph, calls: Sequence[KernelCall], limit: int, options: Options, where: str) -> None:
        self.graph, self.limit, self.options, self.where = graph, limit, options, where
        self.calls = tuple(calls)
        self.costs = Costs(graph)
        self.space: Space = make_space(graph, self.calls, self.costs.all(self.calls))
        self.kernels: Kernels | None = None
        if options.objective == "sram" and options.schedule != "layerwise":
            self._use_slim()
        self.fed = options.input == "rows"
        self.total = max(self.space.total_macs, 1)
        self.base = None if self.fed else self._answer(self._layers(), effort=20_000)
        self.cycles = cycle_limit(self.space, options)
        self.considered = 1
        self.edges: Edges | None = None
        self.guess: Path | None = None
        self.bound = 0

    def _layers(self) -> Path:
        return Path(tuple(e for group in layer_edges(self.space, False) for e in group))

    def run(self) -> ScheduleResult:
        options = self.options
        if options.schedule == "layerwise" and self.base:
            best: _Answer | None = self.base
            self.bound = self.base.plan.lower_bound
        elif options.schedule in FAMILIES:
            best = self._family_member()
        elif options.objective == "sram":
            best = self._smallest()
        else:
            best = self._fastest()
        if best is None or best.nbytes > self.limit:
            raise DoesNotFit(self._refusal(best))
        roomy = options.objective != "sram" and self.limit < NO_LIMIT
        best = self._grown(best, self.limit if roomy else best.nbytes)
        if options.max_cycle_factor is not None and best.cycles > self.cycles:
            raise DoesNotFit(too_slow(self.space, best.cycles, self.cycles / options.max_cycle_factor, options))
        return self._result(best)

    def _use_slim(self) -> None:
        """From now on every operator takes its call with the least scratch; plans then get faster ones back."""
        self.kernels = kernels(self.graph, self.calls, self.options.simd)
        self.space = make_space(self.graph, self.kernels.slim, self.costs.all(self.calls))
        self.calls = self.kernels.slim

    def _grown(self, best: _Answer, limit: int) -> _Answer:
        """The same schedule with faster kernels wherever their scratch fits into ``limit`` bytes."""
        if self.kernels is None or best.calls != self.calls:
            return best
        plan, calls = self.kernels.fitted(self.graph, best.schedule).grown(best.plan, limit)
        cycles = stage_estimates(self.graph, best.schedule, self.costs.run(best.schedule, calls))
        return replace(best, plan=plan, calls=calls, stage_cycles=cycles)

    def _in_time(self, answer: _Answer, limit: int) -> _Answer:
        """Faster kernels as room allows; with a little more room where that is what it takes to be fast enough."""
        grown, extra = self._grown(answer, limit), ALIGN
        while self.cycles < grown.cycles < NEARLY * self.cycles and extra * SLACK < answer.nbytes:
            grown, extra = self._grown(answer, limit + extra), 2 * extra
        return grown

    def _most_macs(self) -> float:
        return self.options.factor * self.total + 1e-6

    def _extra(self) -> int:
        """Recomputed MACs that a stage may have."""
        factor = self.options.factor if math.isfinite(self.options.factor) else MOST_EXTRA
        return int((factor - 1) * self.total) + 1

    def _smallest(self) -> _Answer | None:
        """Least SRAM within the limits of work."""
        most = self._most_macs()
        extra = self._extra()
        start = max(self.space.layer_bytes, default=0) if self.base else 2 * sum(self.space.nbytes) + 64
        few = few_edges(self.space, Limits(start, extra, fed=self.fed))
        path = smallest(self.space, few, most, self.cycles) or smallest(self.space, few, most)
        self.considered += few.considered
        self.edges = self._all_edges(path.nbytes if path else start, extra)
        best = self._or_guess(self._finalist(self.edges, few, most), most)
        if self.base and self.kernels and (best is None or best.cycles > self.cycles):
            return self._answer(self._layers(), effort=20_000, calls=self.kernels.fast)
        if self.base and (best is None or best.nbytes >= self.base.nbytes):
            return self.base
        return best

    def _all_edges(self, limit: int, extra: int) -> Edges:
        """Stages for a path of at most ``limit`` bytes, or what the fast level needs; some larger ones, as plans do."""
        fast = Fast(wire_graph(self.graph, self.calls), self.options, None)
        guess = fast.choose()
        self.guess = as_path(self.space, fast, guess) if guess else None
        for size in (min(guess.nbytes, limit) if guess else limit, limit):
            roomy = size + size // SLACK
            edges = all_edges(self.space, Limits(roomy, extra, fed=self.fed))
            self.considered += edges.considered
            path = smallest(self.space, edges, self._most_macs(), self.cycles)
            # Layers are there whatever they need: a path through larger ones says nothing about stages left out.
            if path is not None and path.nbytes <= roomy:
                break
        return edges

    def _or_guess(self, best: _Answer | None, most: float) -> _Answer | None:
        """``best``, or what the fast level found where its plan turns out smaller."""
        if self.guess is None:
            return best
        answer = self._answer(self.guess, effort=4000, below=best.nbytes if best else None)
        if answer.macs > most or (best and answer.nbytes >= best.nbytes):
            return best
        answer = self._grown(answer, answer.nbytes)
        return answer if answer.cycles <= self.cycles or best is None else best

    def _promising(self, edges: Edges, few: Edges, most: float) -> tuple[Path | None, Edges, float]:
        """The path of least bytes, the edges it is made of, and the limit of cycles it keeps."""
        for cycles in (self.cycles, math.inf):
            for source in (edges, few):
                path = smallest(self.space, source, most, cycles)
                if path is not None:
                    return path, source, cycles
        return None, edges, math.inf

    def _finalist(self, edges: Edges, few: Edges, most: float) -> _Answer | None:
        """The best of the exact plans of the paths that promise least within the limits of work.

        Stages are costed with the kernels of least scratch; the plan gets faster ones back. So where paths a little
        over the limit of cycles promise much less, some are planned too: those that recompute nothing, which are the
        ones whose plans may keep it."""
        path, source, cycles = self._promising(edges, few, most)
        if path is None:
            return None
        self.bound = path.nbytes
        best = self._planned(path, source, cycles, most)
        if self.cycles == math.inf:
            return best
        limit, loose = best.nbytes if best else path.nbytes, LOOSE * self.cycles
        over = smallest(self.space, edges, most, loose)
        if over is None or (cycles < math.inf and over.nbytes > MUCH_LESS * limit):
            return best
        self.bound = min(self.bound, over.nbytes)
        cached = all_edges(self.space, Limits(limit + limit // SLACK, 0, fed=self.fed))
        self.considered += cached.considered
        over = smallest(self.space, cached, most, loose)
        other = self._planned(over, cached, loose, most) if over else None
        better = other and other.cycles <= self.cycles and (best is None or other.nbytes < best.nbytes)
        return other if better else best

    def _planned(self, path: Path, source: Edges, cycles: float, most: float) -> _Answer | None:
        """The best exact plan of paths from ``path`` on: fewest bytes within the limits of work, or the fewest cycles
        where none keeps theirs. Looks until none left can be better."""
        sizes = source.sizes()
        best: _Answer | None = None
        slow: _Answer | None = None
        seen: set[Schedule] = set()
        for size in [s for s in sizes if s >= path.nbytes]:
            if (best and best.nbytes <= size) or len(seen) >= 2 * FINALISTS:
                break
            between = within(self.space, source, size, most, cycles)
            for candidate in (between, *(shortest(self.space, source, size, key) for key in (by_cycles, by_macs))):
                if candidate is None or candidate.macs > most or candidate.cycles > cycles:
                    continue
                schedule = candidate.schedule(self.space, self.fed)
                if schedule in seen:
                    continue
                seen.add(schedule)
                answer = self._answer(candidate, effort=4000, below=best.nbytes if best else None)
                if answer.macs > most or (best and answer.nbytes >= best.nbytes):
                    continue
                answer = self._in_time(answer, max(size, answer.nbytes))
                if answer.cycles <= self.cycles:
                    best = min(best or answer, answer, key=lambda a: (a.nbytes, a.cycles))
                else:
                    slow = min(slow or answer, answer, key=lambda a: (a.cycles, a.nbytes))
        return best or slow

    def _fastest(self) -> _Answer | None:
        """Fewest cycles within the limit, layer by layer where that fits."""
        if self.base and self.base.nbytes <= self.limit:
            self.bound = self.base.plan.lower_bound
            return self.base
        most = self._most_macs()
        extra = self._extra()
        top = self.limit if self.limit < NO_LIMIT else 2 * sum(self.space.nbytes) + 64
        collect = all_edges if self.options.level == "full" and self.limit < NO_LIMIT else few_edges
        for edges in (few_edges(self.space, Limits(top, extra, fed=self.fed)), None):
            self.edges = edges or collect(self.space, Limits(top, extra, fed=self.fed))
            self.considered += self.edges.considered
            best = self._fits(self.edges, top, most)
            if best is not None and (edges is None or best.macs <= 1.02 * self.total):
                return best
        return self._smallest_slim()

    def _smallest_slim(self) -> _Answer | None:
        """The least SRAM of all, with kernels of little scratch."""
        if self.kernels is None:
            self._use_slim()
        return self._smallest()

    def _fits(self, edges: Edges, limit: int, most: float) -> _Answer | None:
        """The fastest path whose exact plan keeps the limit; the limit of the search sinks by what a plan is over."""
        best: _Answer | None = None
        size = limit
        for _ in range(FINALISTS):
            path = shortest(self.space, edges, size, by_cycles)
            if path is None or path.macs > most:
                path = shortest(self.space, edges, size, by_macs)
            if path is None or path.macs > most:
                break
            answer = self._answer(path, effort=4000)
            if answer.nbytes <= limit and answer.macs <= most:
                self.bound = self.bound or path.nbytes
                best = answer
                break
            size = min(size, path.nbytes) - max(answer.nbytes - limit, 1)
        return best

    def _family_member(self) -> _Answer | None:
        """The best of another tool's family."""
        edges = family_edges(self.space, self.options, self._extra())
        self.edges, self.considered = edges, edges.considered
        most = self._most_macs()
        if self.options.objective == "sram":
            best = self._finalist(edges, edges, most)
        else:
            top = min(self.limit, max(self.space.layer_bytes, default=0))
            best = self._fits(edges, top, most)
        if self.base and (best is None or self.base.nbytes <= best.nbytes):
            return self.base
        return best

    def _answer(
        self, path: Path, effort: int, calls: tuple[KernelCall, ...] | None = None, below: int | None = None
    ) -> _Answer:
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
        cycles = stage_estimates(self.graph, schedule, self.costs.run(schedule, calls))
        return _Answer(path, schedule, plan, macs, calls, cycles)

    def _family(self) -> str:
        if self.edges is None:
            return "layer by layer"
        if self.options.schedule in FAMILIES:
            return FAMILIES[self.options.schedule]
        return (
            "stages of bands of 1 to 8 rows, whole or in chunks of 1 to 8 columns, halos cached or recomputed per "
            "tensor; stages of an expansion and a depthwise convolution in slices of 8 or more channels, halos cached; "
            "layers; costs by closed forms"
        )

    def _result(self, best: _Answer) -> ScheduleResult:
        base_bytes = self.base.nbytes if self.base else self._answer_whole()
        proven = best.nbytes <= self.bound and (best is self.base or self.options.level == "full")
        space = self.space
        return ScheduleResult(
            graph=self.graph,
            schedule=best.schedule,
            planned=partial(Planned, best.plan, best.calls),
            arena_bytes=best.nbytes,
            macs=space.total_macs,
            executed_macs=best.macs,
            family=self._family(),
            proven_optimal=proven or (best is self.base and best.plan.proven_optimal and self.edges is None),
            lower_bound=min(self.bound or best.nbytes, best.nbytes),
            considered=self.considered,
            layerwise_bytes=base_bytes,
            explanation=explain(space, best.schedule, best.plan, best.macs, base_bytes, self.limit, self.considered),
            estimated_cycles=best.cycles,
            stages=tuple(
                StageCost(e.first, e.last, e.nbytes, e.macs, space.own_macs(e.first, e.last), cycles)
                for e, cycles in zip(best.path.edges, best.stage_cycles, strict=True)
            ),
        )

    def _answer_whole(self) -> int:
        """Bytes of layer by layer, for comparison, where the input is fed."""
        layers = self._layers().schedule(self.space, False)
        return plan_memory(self.graph, layers, self.calls, effort=4000).arena_bytes

    def _refusal(self, best: _Answer | None) -> str:
        base_bytes = self.base.nbytes if self.base else self._answer_whole()
        if self.options.objective != "sram" and self.options.schedule == "auto":
            best = self._smallest_slim() or best
        if best is None:
            best = self.base
        least = None
        if math.isfinite(self.options.factor) and self.options.schedule == "auto":
            few = few_edges(self.space, Limits(NO_LIMIT, self.total, fed=self.fed))
            path = smallest(self.space, few, 2.0 * self.total)
            least = path.macs / self.total if path and best and path.nbytes < best.nbytes else None
        return refusal(self.space, best.plan if best else None, self.options, self.limit, self.where, base_bytes, least)
