"""Cutting a network into stages: edges from cut to cut, the cheapest path whose every stage fits a number of bytes.

The peak is a maximum and the work a sum over stages, so for given bytes the least work is a shortest path, and the
least bytes for given work are found by bisection over the bytes that occur. Exact over the edges it is given.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tinyforge.ir.schedule import LayerStage, Schedule, Stage
from tinyforge.ir.types import IntArray
from tinyforge.schedule.slices import SlicedStages
from tinyforge.schedule.space import Space
from tinyforge.schedule.stage_cost import Edge, Limits, stage_edges

ROWS = (1, 2, 3, 4, 6, 8)
"""Band heights that are tried."""
CHUNKS = (0, 8, 6, 4, 3, 2, 1)
"""Chunk widths that are tried; 0 is the whole row."""
FEW = ((1, 0), (1, 8), (1, 4))
"""Band heights and chunk widths for a first answer, nothing recomputed."""

FloatArray = npt.NDArray[np.float64]


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


class EdgeArrays(NamedTuple):
    """The figures of some edges, for searching paths."""

    first: IntArray
    nbytes: IntArray
    macs: FloatArray
    cycles: FloatArray


MOST_CORNERS = 12
"""Paths between the fastest and the leanest that are looked at."""

Key = Callable[[EdgeArrays], tuple[FloatArray, FloatArray]]


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """All stages found, by their last node, as values and as arrays; ``considered`` counts those looked at."""

    by_last: tuple[tuple[Edge, ...], ...]
    arrays: tuple[EdgeArrays, ...]
    considered: int

    def sizes(self) -> list[int]:
        return sorted({e.nbytes for group in self.by_last for e in group})


def make_edges(groups: Sequence[Sequence[Edge]], considered: int) -> Edges:
    """Edges in groups by their last node, less those that others beat."""
    kept = tuple(pareto(g) for g in groups)
    arrays = tuple(
        EdgeArrays(
            np.array([e.first for e in g], np.int64),
            np.array([e.nbytes for e in g], np.int64),
            np.array([e.macs for e in g], np.float64),
            np.array([e.cycles for e in g], np.float64),
        )
        for g in kept
    )
    return Edges(kept, arrays, considered)


def layer_edges(space: Space, fed: bool) -> list[list[Edge]]:
    """One edge a node, on whole tensors; none over readers of a row-fed input."""
    first = space.read[space.input] + 1 if fed else 0
    return [
        [Edge(i, i, space.layer_bytes[i], space.macs[i], space.layer_cycles[i], 0, 0, None)] if i >= first else []
        for i in range(space.count)
    ]


def few_edges(space: Space, limits: Limits) -> Edges:
    """Layers and the stages of a first answer."""
    return _collect(space, replace(limits, recompute=False, floor=_floor(space, limits)), FEW)


def all_edges(space: Space, limits: Limits) -> Edges:
    """Layers and every stage of the family within the limits."""
    limits = replace(limits, floor=_floor(space, limits))
    return _collect(space, limits, [(rows, chunk) for chunk in CHUNKS for rows in ROWS])


def _floor(space: Space, limits: Limits) -> int:
    """Bytes that every schedule needs: the inputs, where they are whole."""
    return -1 if limits.fed else space.crossing[0]


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
    for edge in SlicedStages(space, grids, limits).edges(groups):
        groups[edge.last].append(edge)
        considered += 1
    return make_edges(groups, considered)


def pareto(group: Sequence[Edge]) -> tuple[Edge, ...]:
    """For each first node, the stages that no other beats in bytes, MACs and cycles."""
    kept: dict[int, list[Edge]] = {}
    for e in sorted(group, key=lambda e: (e.nbytes, e.macs, e.cycles)):
        rivals = kept.setdefault(e.first, [])
        if not any(k.macs <= e.macs and k.cycles <= e.cycles for k in rivals):
            rivals.append(e)
    return tuple(e for rivals in kept.values() for e in rivals)


def by_macs(e: EdgeArrays) -> tuple[FloatArray, FloatArray]:
    """Fewest MACs, among equals fewest cycles."""
    return e.macs, e.cycles


def by_cycles(e: EdgeArrays) -> tuple[FloatArray, FloatArray]:
    """Fewest cycles, among equals fewest MACs."""
    return e.cycles, e.macs


def shortest(space: Space, edges: Edges, limit: int, key: Key) -> Path | None:
    """The path of least ``key`` with every stage within ``limit`` bytes; None where there is none."""
    best = np.full((2, space.count + 1), np.inf)
    best[:, 0] = 0.0
    via = [-1] * (space.count + 1)
    for last, group in enumerate(edges.arrays):
        if not len(group.first):
            continue
        main, other = key(group)
        cost = np.where(group.nbytes <= limit, best[0][group.first] + main, np.inf)
        least = cost.min()
        if least == np.inf:
            continue
        ties = np.nonzero(cost == least)[0]
        rest = best[1][group.first[ties]] + other[ties]
        chosen = int(rest.argmin())
        best[0, last + 1], best[1, last + 1], via[last + 1] = least, rest[chosen], int(ties[chosen])
    if space.count and via[space.count] < 0:
        return None
    found, at = [], space.count
    while at:
        step = edges.by_last[at - 1][via[at]]
        found.append(step)
        at = step.first
    return Path(tuple(reversed(found)))


def within(space: Space, edges: Edges, limit: int, most_macs: float, most_cycles: float) -> Path | None:
    """A path within ``limit`` bytes and both limits of work: the fastest, the one of fewest MACs, or one between them.

    Those between are the corners of the convex hull of (MACs, cycles): each is the shortest path for some price of a
    MAC in cycles, and the line through two corners gives the price that finds the next. A path that lies above the
    hull is not found.
    """
    fast = shortest(space, edges, limit, by_cycles)
    if fast is None or fast.cycles > most_cycles:
        return None
    if fast.macs <= most_macs:
        return fast
    lean = shortest(space, edges, limit, by_macs)
    if lean is None or lean.macs > most_macs:
        return None
    for _ in range(MOST_CORNERS):
        if fast.macs <= most_macs:
            return fast
        if lean.cycles <= most_cycles:
            return lean
        price = (lean.cycles - fast.cycles) / (fast.macs - lean.macs)
        path = shortest(space, edges, limit, _priced(price))
        if path is None or path.cycles + price * path.macs >= (fast.cycles + price * fast.macs) * (1 - 1e-9):
            return None
        fast, lean = (fast, path) if path.macs <= most_macs else (path, lean)
    return None


def _priced(price: float) -> Key:
    def key(e: EdgeArrays) -> tuple[FloatArray, FloatArray]:
        return e.cycles + price * e.macs, e.macs

    return key


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
