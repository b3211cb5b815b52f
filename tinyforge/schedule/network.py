"""Cutting a network into stages: edges from cut to cut, the cheapest path whose every stage fits a number of bytes.

The peak is a maximum and the work a sum over stages, so for given bytes the least work is a shortest path, and the
least bytes for given work are found by bisection over the bytes that occur. Exact over the edges it is given.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from tinyforge.ir.schedule import LayerStage, Schedule, Stage
from tinyforge.schedule.space import Space
from tinyforge.schedule.stage_cost import Edge, Limits, stage_edges

ROWS = (1, 2, 3, 4, 6, 8)
"""Band heights that are tried."""
CHUNKS = (0, 8, 6, 4, 3, 2, 1)
"""Chunk widths that are tried; 0 is the whole row."""
FEW = ((1, 0), (1, 8), (1, 4))
"""Band heights and chunk widths for a first answer, nothing recomputed."""

Key = Callable[[Edge], tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Path:
    """Stages from the first node to the last; ``nbytes``: the most of any."""

    edges: tuple[Edge, ...]

    @property
    def nbytes(self) -> int:
        return max((e.nbytes for e in self.edges), default=0)

    @property
    def macs(self) -> int:
        return sum(e.macs for e in self.edges)

    @property
    def cycles(self) -> float:
        return sum(e.cycles for e in self.edges)

    def schedule(self, space: Space, fed: bool) -> Schedule:
        stages: list[Stage] = [LayerStage(e.first) if not e.patch_h else e.stage(space) for e in self.edges]
        return Schedule(tuple(stages), input_rows=fed)


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """All stages found, by their last node; ``considered`` counts those looked at."""

    by_last: tuple[tuple[Edge, ...], ...]
    considered: int

    def sizes(self) -> list[int]:
        return sorted({e.nbytes for group in self.by_last for e in group})


def layer_edges(space: Space, fed: bool) -> list[list[Edge]]:
    """One edge a node, on whole tensors; none over readers of a row-fed input."""
    first = space.read[space.input] + 1 if fed else 0
    return [
        [Edge(i, i, space.layer_bytes[i], space.macs[i], space.layer_cycles[i], 0, 0, None)] if i >= first else []
        for i in range(space.count)
    ]


def few_edges(space: Space, limits: Limits) -> Edges:
    """Layers and the stages of a first answer."""
    return _collect(space, replace(limits, recompute=False), FEW)


def all_edges(space: Space, limits: Limits) -> Edges:
    """Layers and every stage of the family within the limits."""
    return _collect(space, limits, [(rows, chunk) for chunk in CHUNKS for rows in ROWS])


def _collect(space: Space, limits: Limits, grids: Iterable[tuple[int, int]]) -> Edges:
    groups = layer_edges(space, limits.fed)
    considered = space.count
    grids = list(grids)
    for last in range(space.count):
        end = space.windowed[last]
        if end is None:
            continue
        width = space.width[end.domain]
        for rows, chunk in grids:
            if chunk >= width:
                continue
            found = list(stage_edges(space, last, rows, chunk or width, limits))
            considered += len(found)
            groups[last] += found
    return Edges(tuple(pareto(g) for g in groups), considered)


def pareto(group: Sequence[Edge]) -> tuple[Edge, ...]:
    """For each first node, the stages that no other beats in bytes, MACs and cycles."""
    kept: dict[int, list[Edge]] = {}
    for e in sorted(group, key=lambda e: (e.nbytes, e.macs, e.cycles)):
        rivals = kept.setdefault(e.first, [])
        if not any(k.macs <= e.macs and k.cycles <= e.cycles for k in rivals):
            rivals.append(e)
    return tuple(e for rivals in kept.values() for e in rivals)


def by_macs(e: Edge) -> tuple[float, float]:
    return e.macs, e.cycles


def by_cycles(e: Edge) -> tuple[float, float]:
    return e.cycles, e.macs


def shortest(space: Space, edges: Edges, limit: int, key: Key) -> Path | None:
    """The path of least ``key`` with every stage within ``limit`` bytes; None where there is none."""
    best: list[tuple[float, float] | None] = [(0.0, 0.0)] + [None] * space.count
    via: list[Edge | None] = [None] * (space.count + 1)
    for last, group in enumerate(edges.by_last):
        for e in group:
            so_far = best[e.first]
            if e.nbytes > limit or so_far is None:
                continue
            a, b = key(e)
            cost = so_far[0] + a, so_far[1] + b
            known = best[last + 1]
            if known is None or cost < known:
                best[last + 1], via[last + 1] = cost, e
    if best[space.count] is None:
        return None
    found, at = [], space.count
    while at:
        step = via[at]
        assert step is not None
        found.append(step)
        at = step.first
    return Path(tuple(reversed(found)))


def within(space: Space, edges: Edges, limit: int, most_macs: float, most_cycles: float) -> Path | None:
    """A path within ``limit`` bytes and both limits of work, the fastest or the one of fewest MACs."""
    for key in (by_cycles, by_macs):
        path = shortest(space, edges, limit, key)
        if path is None:
            return None
        if path.macs <= most_macs and path.cycles <= most_cycles:
            return path
    return None


def smallest(space: Space, edges: Edges, most_macs: float, most_cycles: float = math.inf) -> Path | None:
    """The path of least bytes with at most ``most_macs`` and ``most_cycles``."""
    sizes = edges.sizes()
    low, high = 0, len(sizes) - 1
    best = within(space, edges, sizes[high], most_macs, most_cycles) if sizes else None
    while best is not None and low < high:
        middle = (low + high) // 2
        path = within(space, edges, sizes[middle], most_macs, most_cycles)
        if path is not None:
            best, high = path, middle
        else:
            low = middle + 1
    return best
