"""Static storage allocation: blocks with sizes and lifetimes -> offsets in one arena. Sees nothing but numbers.

Several greedy orders are tried, stopping as soon as one meets the lower bound (the largest live set); what is left is
settled by a bounded exact search. The search places blocks in order of rising offset, each as low as it goes: some such
order gives an optimal packing, so exhausting them proves optimality.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Block:
    """``size`` bytes needed in steps ``first_use``..``last_use`` (inclusive), at a multiple of ``align``."""

    name: str
    size: int
    align: int
    first_use: int
    last_use: int


@dataclass(frozen=True, slots=True)
class Packing:
    """``offsets[i]`` belongs to the i-th block. ``lower_bound``: the most bytes alive in one step (alignment included
    where all blocks share it); ``proven_optimal``: no packing of these blocks is smaller than ``arena_bytes``."""

    offsets: tuple[int, ...]
    arena_bytes: int
    lower_bound: int
    proven_optimal: bool


def lower_bound(blocks: Sequence[Block]) -> int:
    """No packing needs less: the largest live set. Where all blocks share an alignment every block but the topmost one
    of the set is padded to it."""
    aligns = {b.align for b in blocks}
    bound = 0
    for step in {b.first_use for b in blocks}:
        alive = [b for b in blocks if b.size and b.first_use <= step <= b.last_use]
        if len(aligns) == 1 and alive:
            bound = max(bound, sum(map(_padded, alive)) - max(_padded(b) - b.size for b in alive))
        else:
            bound = max(bound, sum(b.size for b in alive))
    return bound


def pack(blocks: Sequence[Block], *, effort: int = 20_000) -> Packing:
    """Offsets for ``blocks``. ``effort`` bounds the nodes of the exact search; 0 means heuristics only.

    Deterministic: equal input, equal offsets.
    """
    n = len(blocks)
    bound = lower_bound(blocks)
    conflicts = _conflicts(blocks)
    best = _heuristics(blocks, conflicts, bound)
    peak = _arena(blocks, best)
    if peak <= bound or effort <= 0 or n > 400:
        return Packing(tuple(best), peak, bound, peak <= bound)
    search = _Search(blocks, conflicts, best, peak, bound, effort)
    search.run()
    return Packing(tuple(search.best), search.peak, bound, search.peak <= bound or search.exhausted)


def _padded(block: Block) -> int:
    return -(-block.size // block.align) * block.align


def _conflicts(blocks: Sequence[Block]) -> list[list[int]]:
    """For each block the others alive at some common step."""
    return [
        [
            j
            for j, b in enumerate(blocks)
            if j != i and a.size and b.size and a.first_use <= b.last_use and b.first_use <= a.last_use
        ]
        for i, a in enumerate(blocks)
    ]


def _arena(blocks: Sequence[Block], offsets: Sequence[int]) -> int:
    return max((o + b.size for o, b in zip(offsets, blocks, strict=True)), default=0)


_ORDERS: tuple[Callable[[Block, int], tuple[int, ...]], ...] = (
    lambda b, degree: (-b.size,),
    lambda b, degree: (-(b.last_use - b.first_use), -b.size),
    lambda b, degree: (-b.size * (b.last_use - b.first_use + 1),),
    lambda b, degree: (-degree, -b.size),
    lambda b, degree: (-degree * b.size,),
    lambda b, degree: (b.first_use, -b.size),
    lambda b, degree: (-b.last_use, -b.size),
)


def _heuristics(blocks: Sequence[Block], conflicts: list[list[int]], bound: int) -> list[int]:
    """The best of all greedy orders, each with first fit and best fit."""
    best: list[int] = []
    peak = -1
    for key in _ORDERS:
        order = sorted(range(len(blocks)), key=lambda i: (*key(blocks[i], len(conflicts[i])), i))
        for best_fit in (False, True):
            offsets = _greedy(blocks, conflicts, order, best_fit)
            arena = _arena(blocks, offsets)
            if peak < 0 or arena < peak:
                best, peak = offsets, arena
            if peak <= bound:
                return best
    return best


def _greedy(blocks: Sequence[Block], conflicts: list[list[int]], order: Sequence[int], best_fit: bool) -> list[int]:
    offsets = [-1] * len(blocks)
    for i in order:
        taken = sorted((offsets[j], offsets[j] + blocks[j].size) for j in conflicts[i] if offsets[j] >= 0)
        offsets[i] = _gap(taken, blocks[i].size, blocks[i].align, best_fit)
    return offsets


def _gap(taken: Sequence[tuple[int, int]], size: int, align: int, best_fit: bool) -> int:
    """Lowest (or tightest) offset where ``size`` bytes are free between the taken ranges, sorted by start."""
    top = 0
    found, slack = -1, 0
    for lo, hi in taken:
        at = -(-top // align) * align
        if at + size <= lo:
            if not best_fit:
                return at
            if found < 0 or lo - at - size < slack:
                found, slack = at, lo - at - size
        top = max(top, hi)
    return found if found >= 0 else -(-top // align) * align


class _Search:
    """Branch and bound over the order of placing blocks by rising offset."""

    def __init__(
        self, blocks: Sequence[Block], conflicts: list[list[int]], best: list[int], peak: int, bound: int, effort: int
    ) -> None:
        self.blocks, self.conflicts = blocks, conflicts
        self.best, self.peak, self.bound, self.left = best, peak, bound, effort
        self.exhausted = False
        self.active = [i for i, b in enumerate(blocks) if b.size]
        self.steps = sorted({blocks[i].first_use for i in self.active})
        self.at_step = [[i for i in self.active if blocks[i].first_use <= s <= blocks[i].last_use] for s in self.steps]
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
            self.offsets[i], self.placed[i] = offset, True
            if self._promising(offset):
                complete = self._place(offset, end, remaining - 1) and complete
            self.placed[i] = False
        return complete

    def _candidates(self, current: int) -> list[tuple[int, int]]:
        """Unplaced blocks with the lowest offset each can take: above its placed neighbours and ``current``."""
        found = []
        for i in self.active:
            if self.placed[i]:
                continue
            low = max((self.offsets[j] + self.blocks[j].size for j in self.conflicts[i] if self.placed[j]), default=0)
            align = self.blocks[i].align
            offset = -(-low // align) * align
            if offset >= current:
                found.append((offset, i))
            elif offset + self.blocks[i].size <= current:
                return []  # it fits below everything still to come: an earlier choice covers this packing
        return sorted(found, key=lambda c: (c[0], -self.blocks[c[1]].size, c[1]))

    def _promising(self, current: int) -> bool:
        """Whether what is unplaced can still stay below the best peak: it all goes above ``current``."""
        for members in self.at_step:
            top, rest = current, 0
            for i in members:
                if self.placed[i]:
                    top = max(top, self.offsets[i] + self.blocks[i].size)
                else:
                    rest += self.blocks[i].size
            if rest and top + rest >= self.peak:
                return False
        return True
