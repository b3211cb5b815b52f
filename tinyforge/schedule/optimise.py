"""Chooses the schedule of a network: the fastest that fits, or the smallest that is fast enough."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from tinyforge.errors import DoesNotFit
from tinyforge.ir.graph import Graph
from tinyforge.ir.program import KernelCall
from tinyforge.ir.schedule import Schedule
from tinyforge.memory.plan import plan_memory
from tinyforge.schedule.answers import Answer, Answers
from tinyforge.schedule.explain import explain, refusal, too_slow
from tinyforge.schedule.families import FAMILIES, family_edges
from tinyforge.schedule.fast import Fast, wire_graph
from tinyforge.schedule.fast_answer import as_path, fast_answer
from tinyforge.schedule.network import (
    Edges,
    Path,
    all_edges,
    by_macs,
    few_edges,
    shortest,
    smallest,
    within,
)
from tinyforge.schedule.options import OBJECTIVES, SCHEDULES, Options, Planned, ScheduleResult, StageCost
from tinyforge.schedule.space import Space
from tinyforge.schedule.stage_cost import Limits

__all__ = ["OBJECTIVES", "SCHEDULES", "Options", "ScheduleResult", "optimise"]

NO_LIMIT = 1 << 62
LOOSE = 1.05
"""Cycles by closed forms over the limit up to which a path is planned: what it really runs may take less."""
SCANNED = 64
"""Numbers of bytes looked at below the best one that bisection finds, at most."""
STEP = 50
"""Part of the bytes by which the limit of a search for the fewest cycles sinks, so that kernels get room."""
NEARLY = 1.01
"""Cycles over the fewest ones that are not worth a longer search."""
FINALISTS = 8
"""Paths that are planned for the fewest cycles, at most."""


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
    if options.input == "rows" and len(graph.inputs) != 1:
        raise DoesNotFit(f"{graph.name}: {len(graph.inputs)} inputs cannot be fed row by row; use --input whole")
    if options.level == "fast" and options.schedule == "auto":
        return fast_answer(graph, calls, sram_bytes, options, where)
    search = _Search(graph, calls, sram_bytes if sram_bytes is not None else NO_LIMIT, options, where)
    return search.run()


def cycle_limit(space: Space, options: Options) -> float:
    """Estimated cycles of layer by layer times the factor. Nodes that repeat others count there unless the factor was
    asked for: their work is limited by the MAC factor."""
    nodes = zip(space.layer_cycles, space.graph.nodes, strict=True)
    strict = options.max_cycle_factor is not None
    return options.cycle_factor * sum(cycles for cycles, node in nodes if not (strict and node.repeats))


class _Search(Answers):
    """One question about one network."""

    def __init__(self, graph: Graph, calls: Sequence[KernelCall], limit: int, options: Options, where: str) -> None:
        super().__init__(graph, calls, options)
        self.limit, self.where = limit, where
        self.base = None if self.fed else self.answer(self.layers(), effort=20_000)
        self.cycles = cycle_limit(self.space, options)
        self.considered = 1
        self.edges: Edges | None = None
        self.bound = 0

    def run(self) -> ScheduleResult:
        options = self.options
        if options.schedule == "layerwise" and self.base:
            best: Answer | None = self.base
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
        best = self.grown(best, self.limit if roomy else best.nbytes)
        if options.max_cycle_factor is not None and best.cycles > self.cycles:
            raise DoesNotFit(too_slow(self.space, best.cycles, self.cycles / options.max_cycle_factor, options))
        return self._result(best)

    def _smallest(self) -> Answer | None:
        """Least SRAM within the limits of work. Where nothing keeps the limit of cycles, it is let go, or the quickest
        schedule is the answer if it was asked for."""
        start = max(self.space.layer_bytes, default=0) if self.base else 2 * sum(self.space.nbytes) + 64
        extra = self.extra()
        few = few_edges(self.space, Limits(start, extra, fed=self.fed))
        self.considered += few.considered
        best = self._least(few, self._guess(self._whole_layers()))
        # Only what is smaller than the best plan so far is of use.
        size = min(start, best.nbytes - 1) if best else start
        self.edges = all_edges(self.space, Limits(size, extra, fed=self.fed))
        self.considered += self.edges.considered
        best = self._least(self.edges, best)
        if best is None and self.options.max_cycle_factor is not None:
            return self._quickest()
        if best is None and self.cycles < math.inf:
            self.cycles = math.inf
            best = self._least(self.edges, self._least(few, self._guess(None)))
        self.bound = self._promise(few, best)
        return best

    def _quickest(self) -> Answer | None:
        """About the fewest cycles within the limit of MACs, whatever they need."""
        path = within(self.space, self.edges, NO_LIMIT, self.most_macs(), math.inf) if self.edges else None
        if path is None:
            return None
        answer = self.answer(path, effort=4000)
        return self.grown(answer, 2 * answer.nbytes)

    def _whole_layers(self) -> Answer | None:
        """Layer by layer, which keeps every limit of work."""
        if self.base is None or self.kernels is None:
            return self.base
        grown = self.grown(self.base, self.base.nbytes)
        return grown if grown.cycles <= self.cycles else self.answer(self.layers(), 20_000, calls=self.kernels.fast)

    def _guess(self, best: Answer | None) -> Answer | None:
        """``best``, or what the fast level finds where that is smaller."""
        path = self._fast_path(replace(self.options, objective="sram"), None)
        return self._better(path, best) if path else best

    def _guess_within(self) -> Answer | None:
        """What the fast level finds for the limit, where its exact plan keeps it: the plan of a path is now and then
        smaller than its closed form, which no other search here looks beyond."""
        path = self._fast_path(self.options, self.limit)
        if path is None:
            return None
        found = self.grown(self.answer(path, effort=4000), self.limit)
        if found.nbytes > self.limit or found.macs > self.most_macs() or found.cycles > self.cycles:
            return None
        return found

    def _fast_path(self, options: Options, limit: int | None) -> Path | None:
        """What the fast level chooses."""
        fast = Fast(wire_graph(self.graph, self.calls), options, limit)
        self.considered += fast.table.nbytes.size
        guess = fast.choose()
        return as_path(self.space, fast, guess) if guess else None

    def _promise(self, few: Edges, best: Answer | None) -> int:
        """Bytes below which no path comes within the limits of work, by closed forms."""
        sizes = [best.nbytes] if best else []
        for edges in (few, self.edges or few):
            path = smallest(self.space, edges, self.most_macs(), LOOSE * self.cycles)
            sizes += [path.nbytes] if path else []
        return min(sizes, default=0)

    def _least(self, source: Edges, best: Answer | None) -> Answer | None:
        """The best exact plan within the limits of work of paths through ``source``, if it is smaller than ``best``.

        A plan may need more than its path promises, and other kernels than its cycles are of: where the path of least
        bytes does not do, the least number of bytes at which one does is looked for by bisection, and a little below.
        """
        path = smallest(self.space, source, self.most_macs(), LOOSE * self.cycles)
        if path is None:
            return best
        sizes = source.sizes()
        seen: set[Schedule] = set()
        at = low = bisect_left(sizes, path.nbytes)
        high = bisect_left(sizes, best.nbytes) if best else len(sizes)
        while low < high:
            found = self._at(source, sizes[at], seen, best)
            better = found is not None and found is not best
            best = found
            high = bisect_left(sizes, best.nbytes) if best else high
            if better and at > low:
                high = min(at, high)
            else:
                low = at + 1
            at = (low + high) // 2
        for size in reversed(sizes[max(low - SCANNED, 0) : low]):
            best = self._at(source, size, seen, best) if size >= path.nbytes else best
        return best

    def _at(self, source: Edges, size: int, seen: set[Schedule], best: Answer | None) -> Answer | None:
        """``best``, or the best of the paths of at most ``size`` bytes; those ``seen`` are not looked at again."""
        for candidate in self._candidates(source, size):
            schedule = candidate.schedule(self.space, self.fed)
            if schedule not in seen:
                seen.add(schedule)
                best = self._better(candidate, best)
        return best

    def _candidates(self, source: Edges, size: int) -> Iterator[Path]:
        """Paths of at most ``size`` bytes that may keep the limits of work."""
        most, cycles = self.most_macs(), LOOSE * self.cycles
        path = within(self.space, source, size, most, cycles)
        if path is None:
            return
        yield path
        lean = shortest(self.space, source, size, by_macs)
        if lean is not None and lean.cycles <= cycles:
            yield lean

    def _better(self, path: Path, best: Answer | None) -> Answer | None:
        """``best``, or the plan of ``path`` where that is smaller and keeps the limits of work."""
        if self.kernels and self.cycles < math.inf and self.least_cycles(path) > self.cycles:
            return best
        answer = self.answer(path, effort=4000, below=best.nbytes if best else None)
        if answer.macs > self.most_macs() or (best and answer.nbytes >= best.nbytes):
            return best
        return self.in_time(answer, best.nbytes - 1 if best else 2 * answer.nbytes, self.cycles) or best

    def _fastest(self) -> Answer | None:
        """Fewest cycles within the limit; layer by layer where it fits and nothing that does is faster. Where that
        takes many more, plans are made for kernels of least scratch too, which get faster ones back."""
        best = self._quickest_within(few_edges, self.base if self.base and self.base.nbytes <= self.limit else None)
        if best is not None and best is self.base:
            self.bound = self.base.plan.lower_bound
            return best
        thorough = self.options.level == "full" and self.limit < NO_LIMIT
        for collect, slim in ((all_edges, False), (few_edges, True), (all_edges, True)) if thorough else ():
            if best is not None and best.cycles <= NEARLY * sum(self.space.layer_cycles):
                return best
            if slim and self.kernels is None:
                self.use_slim()
            best = self._quickest_within(collect, best)
        return best or self._smallest_slim()

    def _smallest_slim(self) -> Answer | None:
        """A plan that keeps the limit, or the least SRAM of all, with kernels of little scratch."""
        if self.kernels is None:
            self.use_slim()
        return self._guess_within() or self._smallest()

    def _quickest_within(self, collect: Callable[[Space, Limits], Edges], best: Answer | None) -> Answer | None:
        """``best``, or a plan of fewer cycles that keeps the limit too, of stages that ``collect`` finds."""
        top = self.limit if self.limit < NO_LIMIT else 2 * sum(self.space.nbytes) + 64
        edges = collect(self.space, Limits(top, self.extra(), fed=self.fed))
        found = self._fits(edges, top, best)
        if found is not best:
            self.edges = edges
        self.considered += edges.considered if self.edges else 0
        return found

    def _fits(self, edges: Edges, limit: int, best: Answer | None) -> Answer | None:
        """``best``, or the plan of fewest cycles among those of the fastest paths that keep the limit; the limit of the
        search sinks by what a plan is over."""
        size = limit
        for _ in range(FINALISTS):
            path = within(self.space, edges, size, self.most_macs(), math.inf)
            if path is None or (best and path.cycles > NEARLY * best.cycles):
                break
            size = min(path.nbytes, size - size // STEP) - 1
            if best and self.least_cycles(path) >= best.cycles:
                continue
            answer = self.grown(self.answer(path, effort=4000), limit)
            if answer.nbytes > limit:
                size -= answer.nbytes - limit
            elif answer.macs <= self.most_macs() and (best is None or answer.cycles < best.cycles):
                self.bound = path.nbytes
                best = answer
        return best

    def _family_member(self) -> Answer | None:
        """The best of another tool's family."""
        edges = family_edges(self.space, self.options, self.extra())
        self.edges, self.considered = edges, edges.considered
        if self.options.objective == "sram":
            best = self._least(edges, None)
            self.bound = self._promise(edges, best)
        else:
            top = min(self.limit, max(self.space.layer_bytes, default=0))
            best = self._fits(edges, top, None)
        if self.base and (best is None or self.base.nbytes <= best.nbytes):
            return self.base
        return best

    def _family(self) -> str:
        if self.edges is None and self.considered == 1:
            return "layer by layer"
        if self.options.schedule in FAMILIES:
            return FAMILIES[self.options.schedule]
        return (
            "stages of bands of 1 to 8 rows, whole or in chunks of 1 to 8 columns, halos cached or recomputed per "
            "tensor; stages of an expansion and a depthwise convolution in slices of 8 or more channels, halos cached; "
            "layers; costs by closed forms"
        )

    def _result(self, best: Answer) -> ScheduleResult:
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
            lower_bound=min(self.bound, best.nbytes),
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
        layers = self.layers().schedule(self.space, False)
        return plan_memory(self.graph, layers, self.calls, effort=4000).arena_bytes

    def _refusal(self, best: Answer | None) -> str:
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
