"""Before anything is trained: which part of a space fits at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinyforge.errors import DoesNotFit
from tinyforge.search.architecture import architecture
from tinyforge.search.feasibility import BoardLimits, Cost, describe, first_cost, violations
from tinyforge.search.space import Candidate, SearchSpace, extreme, mutated, random_candidate
from tinyforge.search.train import Report

LEAST_FITTING = 12
"""Fitting candidates that a narrowed space is made of; where random ones are rarer, neighbours of them fill up."""
RARE = 0.02
"""A choice that occurs in a smaller part of the fitting candidates is dropped."""


@dataclass(frozen=True, slots=True)
class Narrowed:
    """The space of choices that occur in fitting candidates; ``fitting`` of ``sampled`` random ones fit.

    ``macs``: of the largest network of the space before and after.
    """

    space: SearchSpace
    fitting: int
    sampled: int
    macs: tuple[int, int]


def narrow(
    space: SearchSpace,
    data_shape: Sequence[int],
    classes: int,
    limits: BoardLimits,
    samples: int,
    seed: int,
    tell: Report,
) -> Narrowed:
    """Draw ``samples`` candidates, keep the choices of those that fit. Raises DoesNotFit where none does."""
    rng = np.random.default_rng([seed, 43])
    found: list[Candidate] = []
    nearest: tuple[float, Cost, dict[str, float]] | None = None
    pool = [extreme(space, 0)]
    for number in range(samples):
        candidate = _draw(space, pool, number, rng)
        cost = first_cost(architecture(space, candidate, data_shape, classes), limits)
        broken = violations(cost, limits)
        if not broken:
            found.append(candidate)
            pool.append(candidate)
        elif nearest is None or sum(broken.values()) < nearest[0]:
            nearest = (sum(broken.values()), cost, broken)
        if number % 20 == 0:
            tell("checking what fits", number, samples)
    if not found:
        assert nearest is not None
        raise DoesNotFit(
            f"space {space.name}: none of {samples} networks keeps the limits, the nearest is over by "
            f"{describe(nearest[2])} (arena {nearest[1].arena_bytes:,} B, flash {nearest[1].flash_bytes:,} B); "
            "raise the limit, or give a smaller space (tinyforge zoo)"
        )
    inside = space.narrowed(_frequent(space, found))
    macs = tuple(_macs(s, data_shape, classes) for s in (space, inside))
    return Narrowed(inside, len(found), samples, (macs[0], macs[1]))


def _draw(space: SearchSpace, pool: list[Candidate], number: int, rng: np.random.Generator) -> Candidate:
    """A random candidate; every second one a neighbour of the fitting ones, so that small limits find enough."""
    if number == 0:
        return pool[0]
    if number % 2:
        return random_candidate(space, rng)
    return mutated(space, pool[int(rng.integers(len(pool)))], rng, 0.3)


def _frequent(space: SearchSpace, found: list[Candidate]) -> list[Candidate]:
    """The candidates without those that have a choice next to none has; all where that leaves too few."""
    values = np.asarray([c.values for c in found])
    part = np.stack([(values == row).mean(0) for row in values])
    kept = [c for c, shares in zip(found, part, strict=True) if shares.min() >= RARE]
    return kept if len(kept) >= LEAST_FITTING else found


def _macs(space: SearchSpace, data_shape: Sequence[int], classes: int) -> int:
    return architecture(space, extreme(space, -1), data_shape, classes).macs
