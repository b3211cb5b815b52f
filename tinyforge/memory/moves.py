"""Buffers that lie elsewhere from some stage on: where a tensor made low in the arena is in the way of a later stage,
it is moved just before the stage that reads it last. The fewest moves that reach the fewest bytes found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tinyforge.memory.planner import Packing, pack

if TYPE_CHECKING:
    from tinyforge.memory.plan import Demand

TRIES = 6
"""Moves in a row that could not be left out, before the rest is kept."""


def with_moves(demand: Demand, packing: Packing, effort: int, below: int | None = None) -> tuple[Demand, Packing]:
    """``demand`` and ``packing``, or with moves where that needs fewer bytes (than ``below`` too). Deterministic."""
    cuts = one_a_step(demand)
    best = _moved(demand, cuts, effort) if cuts else (demand, packing)
    if best[1].arena_bytes >= min(packing.arena_bytes, below or packing.arena_bytes):
        return demand, packing
    failed = 0
    for block in sorted(cuts, key=lambda i: (-demand.blocks[i].size, i)):
        if block not in cuts:
            continue
        fewer = {i: step for i, step in cuts.items() if i != block and i in best[0].moving(best[1])}
        trial = _moved(demand, fewer, effort)
        if trial[1].arena_bytes <= best[1].arena_bytes:
            cuts, best, failed = fewer, trial, 0
        else:
            failed += 1
        if failed >= TRIES:
            break
    return best


def one_a_step(demand: Demand) -> dict[int, int]:
    """Blocks that could move, and when; of those that would at the same time the largest, so that the order of moves
    does not matter."""
    chosen: dict[int, int] = {}
    for block, step in demand.movable.items():
        if step not in chosen or demand.blocks[block].size > demand.blocks[chosen[step]].size:
            chosen[step] = block
    return {block: step for step, block in chosen.items()}


def _moved(demand: Demand, cuts: Mapping[int, int], effort: int) -> tuple[Demand, Packing]:
    cut = demand.cut(cuts)
    return cut, pack(cut.blocks, cut.overlaps, effort=effort)
