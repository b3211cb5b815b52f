"""Static storage allocation: blocks with sizes and lifetimes -> offsets in one arena. Sees nothing but numbers.

Blocks alive together must not overlap, except where an overlap is declared: an output that may grow over the dead part
of an input. Several greedy orders are tried, each from both ends of the arena, stopping as soon as one meets the lower
bound (the largest live set); then orders are improved step by step; what is left is settled by a bounded exact search,
which places blocks in order of rising offset, each as low as it goes: some such order gives an optimal packing, so
exhausting them proves optimality.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Block:
    """``size`` bytes needed in steps ``first_use``..``last_use`` (inclusive), at a multiple of ``align``."""

    name: str
    size: int
    align: int
    first_use: int
    last_use: int


Overlaps = Mapping[tuple[int, int], int]
"""(i, j) -> d: block j may start d >= 0 bytes above block i or more, although both are alive (default: i's size)."""


@dataclass(frozen=True, slots=True)
class Packing:
    """``offsets[i]`` belongs to the i-th block. ``lower_bound``: the most bytes alive in one step (alignment included
    where all blocks share it, shared bytes counted once); ``proven_optimal``: no packing of these blocks is smaller
    than ``arena_bytes``."""

    offsets: tuple[int, ...]
    arena_bytes: int
    lower_bound: int
    proven_optimal: bool


def lower_bound(blocks: Sequence[Block], overlaps: Overlaps | None = None) -> int:
    """No packing needs less: the largest live set less what its blocks may share. Where all blocks share an alignment
    every block but the topmost one of the set is padded to it."""
    aligns = {b.align for b in blocks}
    savings = [(i, j, _saving(blocks, i, j, d)) for (i, j), d in (overlaps or {}).items()]
    bound = 0
    for step in {b.first_use for b in blocks}:
        alive = [b for b in blocks if b.size and b.first_use <= step <= b.last_use]
        shared = sum(s for i, j, s in savings if _at(blocks[i], step) and _at(blocks[j], step))
        if len(aligns) == 1 and alive and not shared:
            bound = max(bound, sum(map(_padded, alive)) - max(_padded(b) - b.size for b in alive))
        else:
            bound = max(bound, sum(b.size for b in alive) - shared)
    return bound


def pack(
    blocks: Sequence[Block], overlaps: Overlaps | None = None, *, effort: int = 20_000, below: int | None = None
) -> Packing:
    """Offsets for ``blocks``. ``effort`` bounds the nodes of the exact search; 0 means greedy orders only. ``below``:
    only a packing of fewer bytes is of use, so little effort is spent where none can be found.

    Deterministic: equal input, equal offsets.
    """
    problem = _Problem(blocks, overlaps or {})
    if below is not None and problem.bound >= below:
        effort = 0
    order, mirrored, peak = problem.greedy_orders()
    if peak > problem.bound and effort > 0:
        order, mirrored, peak = problem.improve(order, mirrored, peak, min(400, effort // 10))
    best = problem.place(order, False, mirrored)
    for fit in (False, True):
        other = problem.place(order, fit, mirrored)
        if problem.arena(other) < problem.arena(best):
            best = other
    peak = problem.arena(best)
    if peak <= problem.bound or effort <= 0 or len(blocks) > 400:
        return Packing(tuple(best), peak, problem.bound, peak <= problem.bound)
    search = _Search(problem, best, peak if below is None else min(peak, below), effort)
    search.run()
    found = problem.arena(search.best)
    proven = search.exhausted and (below is None or found < below or peak <= below)
    return Packing(tuple(search.best), found, problem.bound, found <= problem.bound or proven)


def _padded(block: Block) -> int:
    return -(-block.size // block.align) * block.align


def _at(block: Block, step: int) -> bool:
    return block.first_use <= step <= block.last_use


def _saving(blocks: Sequence[Block], low: int, high: int, distance: int) -> int:
    """Most bytes the two may have in common."""
    return max(0, min(blocks[low].size - distance, blocks[high].size))


_NO_LIMIT = 1 << 62
_ORDERS: tuple[Callable[[Block, int], tuple[int, ...]], ...] = (
    lambda b, degree: (-b.size,),
    lambda b, degree: (-(b.last_use - b.first_use), -b.size),
    lambda b, degree: (-b.size * (b.last_use - b.first_use + 1),),
    lambda b, degree: (-degree, -b.size),
    lambda b, degree: (-degree * b.size,),
    lambda b, degree: (b.first_use, -b.size),
    lambda b, degree: (-b.last_use, -b.size),
)


class _Problem:
    """Blocks with the least distances between the starts of those that are alive together."""

    def __init__(self, blocks: Sequence[Block], overlaps: Overlaps) -> None:
        self.blocks, self.overlaps = blocks, overlaps
        self.bound = lower_bound(blocks, overlaps)
        self.conflicts = [
            [
                j
                for j, b in enumerate(blocks)
                if j != i and a.size and b.size and a.first_use <= b.last_use and b.first_use <= a.last_use
            ]
            for i, a in enumerate(blocks)
        ]
        self.sizes = [_padded(b) for b in blocks]
        self.up = [[(j, self.least(i, j), self.least(j, i)) for j in self.conflicts[i]] for i in range(len(blocks))]
        self.after: list[list[tuple[int, int]]] = [[(j, to) for j, to, _ in near] for near in self.up]
        self.down = [self._mirrored(i) for i in range(len(blocks))]
        self.ends = (False, True) if len({b.align for b in blocks}) == 1 else (False,)

    def least(self, low: int, high: int) -> int:
        """Least distance from the start of ``low`` to the start of ``high`` above it."""
        return self.overlaps.get((low, high), self.blocks[low].size)

    def _mirrored(self, i: int) -> list[tuple[int, int, int]]:
        """Distances of i's neighbours seen from the top of the arena, where ends are starts: (j, i to j, j to i).
        All blocks have one alignment; everything is rounded to it."""
        size, align = self.sizes, self.blocks[i].align
        rounded = ((j, -(-to // align) * align, -(-back // align) * align) for j, to, back in self.up[i])
        return [(j, back + size[i] - size[j], to + size[j] - size[i]) for j, to, back in rounded]

    def arena(self, offsets: Sequence[int]) -> int:
        return max((o + b.size for o, b in zip(offsets, self.blocks, strict=True)), default=0)

    def greedy_orders(self) -> tuple[list[int], bool, int]:
        """The best of all greedy orders and ends: (order, from the top, bytes)."""
        best: tuple[list[int], bool, int] = list(range(len(self.blocks))), False, _NO_LIMIT
        for order, mirrored in self._orders():
            for fit in (False, True):
                found = self._place(order, fit, mirrored, best[2])
                if found is not None and self.arena(found) < best[2]:
                    best = order, mirrored, self.arena(found)
                if best[2] <= self.bound:
                    return best
        return best

    def _orders(self) -> Iterator[tuple[list[int], bool]]:
        """Orders of all blocks, and whether they are placed from the top."""
        plain = [
            sorted(range(len(self.blocks)), key=lambda i: (*key(self.blocks[i], len(self.conflicts[i])), i))
            for key in _ORDERS
        ]
        yield from ((order, mirrored) for order in plain for mirrored in self.ends)
        if self.overlaps:
            yield from ((self._paired(order, mirrored), mirrored) for order in plain for mirrored in self.ends)

    def _paired(self, order: Sequence[int], mirrored: bool) -> list[int]:
        """``order``, but of blocks that may overlap the one at the end they are placed from comes just before the
        other: placed after it, it would find no room below."""
        before: dict[int, list[int]] = {}
        for pair in self.overlaps:
            first, second = reversed(pair) if mirrored else pair
            before.setdefault(second, []).append(first)
        found: dict[int, None] = {}
        for i in order:
            chain: list[int] = []
            near = [i]
            while near:
                chain.append(near[0])
                near = [j for j in before.get(near[0], ()) if j not in found and j not in chain]
            found.update(dict.fromkeys(reversed(chain)))
        return list(found)

    def improve(self, order: list[int], mirrored: bool, peak: int, rounds: int) -> tuple[list[int], bool, int]:
        """Moves blocks that reach the top to an earlier place, and keeps what is no worse."""
        rng = random.Random(0)
        offsets = self.place(order, False, mirrored)
        for _ in range(rounds):
            top = max(range(len(order)), key=lambda i: offsets[i] + self.blocks[i].size)
            moved = rng.choice([top, top, rng.randrange(len(order))])
            trial = [i for i in order if i != moved]
            trial.insert(rng.randrange(len(order)), moved)
            turned = mirrored if rng.random() < 0.8 or len(self.ends) == 1 else not mirrored
            found = self._place(trial, False, turned, peak)
            if found is None:
                continue
            size = self.arena(found)
            if size <= peak:
                order, mirrored, peak, offsets = trial, turned, size, found
            if peak <= self.bound:
                break
        return order, mirrored, peak

    def place(self, order: Sequence[int], best_fit: bool, mirrored: bool) -> list[int]:
        """Greedy: each block in turn where it fits lowest (or tightest), from the bottom or from the top."""
        found = self._place(order, best_fit, mirrored, _NO_LIMIT)
        assert found is not None
        return found

    def _place(self, order: Sequence[int], best_fit: bool, mirrored: bool, limit: int) -> list[int] | None:
        """As ``place``; None as soon as the arena cannot stay within ``limit`` bytes."""
        near, sizes, blocks = self.down if mirrored else self.up, self.sizes, self.blocks
        offsets = [-1] * len(blocks)
        for i in order:
            taken = [(offsets[j] - below, offsets[j] + above) for j, below, above in near[i] if offsets[j] >= 0]
            taken.sort()
            align = blocks[i].align
            offsets[i] = at = _gap(taken, align, best_fit)
            if at + sizes[i] >= limit + (2 * align if mirrored else align):
                return None
        if not mirrored:
            return offsets
        top = max((o + s for o, s in zip(offsets, sizes, strict=True)), default=0)
        return [top - o - s for o, s in zip(offsets, sizes, strict=True)]


def _gap(taken: Sequence[tuple[int, int]], align: int, best_fit: bool) -> int:
    """Lowest (or tightest) start outside all open ranges (lo, hi), sorted by lo."""
    top = 0
    found, slack = -1, 0
    for lo, hi in taken:
        at = -(-top // align) * align
        if at <= lo:
            if not best_fit:
                return at
            if found < 0 or lo - at < slack:
                found, slack = at, lo - at
        top = max(top, hi)
    return found if found >= 0 else -(-top // align) * align


class _Search:
    """Branch and bound over the order of placing blocks by rising offset. What a placed block means to others is kept
    up to date: ``low``: least offset of every block above its placed neighbours; per step ``tops`` (end of what is
    placed) and ``rest`` (bytes still to be placed)."""

    def __init__(self, problem: _Problem, best: list[int], peak: int, effort: int) -> None:
        self.problem, self.blocks = problem, problem.blocks
        self.best, self.peak, self.bound, self.left = best, peak, problem.bound, effort
        self.exhausted = False
        blocks = problem.blocks
        self.active = [i for i, b in enumerate(blocks) if b.size]
        steps = sorted({blocks[i].first_use for i in self.active})
        members = [[i for i in self.active if _at(blocks[i], s)] for s in steps]
        savings = [(i, j, _saving(blocks, i, j, d)) for (i, j), d in problem.overlaps.items()]
        self.shared = [sum(s for i, j, s in savings if i in m and j in m) for m in map(set, members)]
        self.rest = [sum(blocks[i].size for i in m) for m in members]
        self.tops = [0] * len(steps)
        self.steps_of = [[k for k, s in enumerate(steps) if _at(b, s)] for b in blocks]
        self.low = [0] * len(blocks)
        self.offsets = [0] * len(blocks)
        self.placed = [False] * len(blocks)

    def run(self) -> None:
        self.exhausted = self._place(0, 0, len(self.active))

    def _place(self, current: int, top: int, remaining: int) -> bool:
        """Try every next block at or above ``current``; True when the subtree was searched completely."""
        if not remaining:
            self.peak, self.best = top, list(self.offsets)
            return True
        complete = True
        for offset, i in self._candidates(current):
            if self.peak <= self.bound:
                return True
            self.left -= 1
            if self.left < 0:
                return False
            end = max(top, offset + self.blocks[i].size)
            if end >= self.peak:
                continue
            low, tops = self._put(i, offset)
            if self._promising(offset):
                complete = self._place(offset, end, remaining - 1) and complete
            self._take_back(i, low, tops)
        return complete

    def _put(self, i: int, offset: int) -> tuple[list[tuple[int, int]], list[int]]:
        """Places block i; what it changed, for taking it back."""
        self.offsets[i], self.placed[i] = offset, True
        low, raised = self.low, []
        for j, distance in self.problem.after[i]:
            if offset + distance > low[j] and not self.placed[j]:
                raised.append((j, low[j]))
                low[j] = offset + distance
        end, tops = offset + self.blocks[i].size, []
        for step in self.steps_of[i]:
            tops.append(self.tops[step])
            self.rest[step] -= self.blocks[i].size
            self.tops[step] = max(self.tops[step], end)
        return raised, tops

    def _take_back(self, i: int, low: list[tuple[int, int]], tops: list[int]) -> None:
        self.placed[i] = False
        for j, before in low:
            self.low[j] = before
        for step, before in zip(self.steps_of[i], tops, strict=True):
            self.tops[step] = before
            self.rest[step] += self.blocks[i].size

    def _candidates(self, current: int) -> list[tuple[int, int]]:
        """Unplaced blocks with the lowest offset each can take: above its placed neighbours and ``current``."""
        found = []
        for i in self.active:
            if self.placed[i]:
                continue
            align = self.blocks[i].align
            offset = -(-self.low[i] // align) * align
            if offset >= current:
                found.append((offset, i))
            elif offset + self.blocks[i].size <= current:
                return []  # it fits below everything still to come: an earlier choice covers this packing
        return sorted(found, key=lambda c: (c[0], -self.blocks[c[1]].size, c[1]))

    def _promising(self, current: int) -> bool:
        """Whether what is unplaced can still stay below the best peak: it all goes above ``current``."""
        peak = self.peak
        for top, rest, shared in zip(self.tops, self.rest, self.shared, strict=True):
            if rest and (top if top > current else current) + rest - shared >= peak:
                return False
        return True
