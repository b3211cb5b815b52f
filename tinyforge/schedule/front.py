"""The whole front of a network: SRAM against executed MACs against estimated cycles, every point planned exactly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tinyforge.ir.graph import Graph
from tinyforge.ir.program import KernelCall
from tinyforge.ir.schedule import FusedStage, Schedule
from tinyforge.memory.plan import plan_memory
from tinyforge.ops.stage_windows import executed_macs, walk_stage
from tinyforge.schedule.estimate import Costs, plan_cycles
from tinyforge.schedule.forms import forms
from tinyforge.schedule.network import (
    Path,
    all_edges,
    by_cycles,
    by_macs,
    few_edges,
    layer_edges,
    make_edges,
    shortest,
    smallest,
)
from tinyforge.schedule.options import Options, ScheduleResult
from tinyforge.schedule.space import Space, make_space
from tinyforge.schedule.stage_cost import Limits

MOST_FACTOR = 1.5
"""Factor up to which the front is followed where the options name none."""
SIZES = 24
"""Byte limits tried between the least and layer by layer."""
_EFFORT = 500


@dataclass(frozen=True, slots=True)
class Point:
    """One schedule. ``stages``: how many of them are fused. ``chosen``: the one that was compiled."""

    arena_bytes: int
    executed_macs: int
    estimated_cycles: int
    fused_stages: int
    chosen: bool = False

    def beats(self, other: Point) -> bool:
        """No worse in anything, and not equal."""
        mine, its = self._key(), other._key()
        return mine != its and all(a <= b for a, b in zip(mine, its, strict=True))

    def _key(self) -> tuple[int, int, int]:
        return self.arena_bytes, self.executed_macs, self.estimated_cycles


def pareto(
    graph: Graph, calls: Sequence[KernelCall], options: Options, chosen: Point | None = None
) -> tuple[Point, ...]:
    """Points that no other beats, largest arena first, up to ``options.max_mac_factor`` (default 1.5), with
    squeeze-and-excite blocks in two passes where that needs fewer bytes than any schedule without. ``chosen`` is
    always among them: its kernels may have less scratch than those of the others."""
    factor = min(options.max_mac_factor or MOST_FACTOR, MOST_FACTOR)
    options = replace(options, max_mac_factor=factor)
    points: list[Point] = []
    for form in forms(graph, calls, options):
        least = min((p.arena_bytes for p in points), default=None)
        if least is None or form.floor < least:
            points += _points(form.graph, form.calls, options, least)
    if chosen is not None:
        points = [chosen, *(p for p in points if p._key() != chosen._key())]
    kept = [p for p in points if p.chosen or not any(other.beats(p) for other in points)]
    return tuple(sorted(kept, key=lambda p: (-p.arena_bytes, p.executed_macs, p.estimated_cycles)))


def chosen_point(found: ScheduleResult) -> Point:
    """The point of a schedule that was compiled."""
    return _point(found.schedule, found.arena_bytes, found.executed_macs, found.estimated_cycles, chosen=True)


def _points(graph: Graph, calls: Sequence[KernelCall], options: Options, below: int | None) -> list[Point]:
    """Different points of one form of the network; ``below``: only those of fewer bytes are looked for."""
    costs = Costs(graph)
    space = make_space(graph, calls, costs.all(calls))
    fed = options.input == "rows"
    points: dict[tuple[int, int, int], Point] = {}
    seen: set[Schedule] = set()
    for path in _paths(space, options, fed, below):
        schedule = path.schedule(space, fed)
        if schedule not in seen:
            seen.add(schedule)
            fused = any(isinstance(stage, FusedStage) for stage in schedule.stages)
            plan = plan_memory(graph, schedule, calls, effort=_EFFORT, moves=fused)
            cycles = sum(plan_cycles(costs, schedule, plan, calls))
            point = _point(schedule, plan.arena_bytes, _macs(space, schedule), cycles)
            points.setdefault(point._key(), point)
    return list(points.values())


def _point(schedule: Schedule, nbytes: int, macs: int, cycles: int, *, chosen: bool = False) -> Point:
    return Point(nbytes, macs, cycles, sum(isinstance(s, FusedStage) for s in schedule.stages), chosen)


def _paths(space: Space, options: Options, fed: bool, below: int | None) -> Iterator[Path]:
    """Layer by layer, and for byte limits all the way down the fastest path and that of fewest MACs."""
    total = max(space.total_macs, 1)
    most = options.factor * total + 1e-6
    if not fed and below is None:
        yield Path(tuple(e for group in layer_edges(space, fed=False) for e in group))
    start = 2 * sum(space.nbytes) + 64 if fed else max(space.layer_bytes, default=0)
    start = start if below is None else min(start, below - 1)
    few = few_edges(space, Limits(start, 0, fed=fed))
    first = smallest(space, few, total)
    size = min(first.nbytes, start) if first else start
    least = all_edges(space, Limits(size, int((options.factor - 1) * total) + 1, fed=fed))
    edges = make_edges([(*a, *b) for a, b in zip(few.by_last, least.by_last, strict=True)], 0)
    bottom = smallest(space, edges, most)
    if bottom is None:
        return
    for limit in _ladder([s for s in edges.sizes() if bottom.nbytes <= s <= start] or [bottom.nbytes]):
        for key in (by_cycles, by_macs):
            path = shortest(space, edges, limit, key)
            if path is not None and path.macs <= most:
                yield path


def _ladder(sizes: Sequence[int]) -> list[int]:
    """At most SIZES of the sizes (sorted), by equal ratios, ends included."""
    if len(sizes) <= SIZES:
        return list(sizes)
    low, ratio = sizes[0], (sizes[-1] / max(sizes[0], 1)) ** (1 / (SIZES - 1))
    wanted = [low * ratio**i for i in range(SIZES - 1)]
    return sorted({*(max(s for s in sizes if s <= w) for w in wanted), sizes[-1]})


def _macs(space: Space, schedule: Schedule) -> int:
    graph = space.graph
    return sum(
        executed_macs(graph, walk_stage(graph, stage)) if isinstance(stage, FusedStage) else space.macs[stage.node]
        for stage in schedule.stages
    )
