"""Which sub-networks of a supernet a training step sees, and what it learns from them.

``sandwich`` (Yu and Huang 2019): the largest network learns the labels, the smallest and random ones learn the largest
one's answers, with an update after each. ``sortednet`` (Valipour et al. 2023): sub-networks that are nested, each drawn
by a level for every kind of choice, all learn the labels, with one update by the mean of their gradients.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tinyforge.search.dataset import photographs
from tinyforge.search.space import Candidate, SearchSpace, extreme, make_candidate, random_candidate

RECIPES = ("sandwich", "sortednet")
DECAY, SIGNAL_DECAY, PHOTO_DECAY = 1e-2, 0.1, 0.3
"""Of kernels; the larger ones for finalists of sensors' signals and of photographs, learnt by heart without them
(measured: docs/search.md)."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the supernet is trained. method: of ``RECIPES``. subnets: networks a step. rate: the highest one, reached
    after ``rise`` steps; it falls as a cosine. decay: of kernels. first: part of the epochs in which the largest
    network is trained alone; after it channels are sorted by their L1 norms."""

    epochs: int
    batch: int = 64
    method: str = "sandwich"
    subnets: int = 4
    rate: float = 1e-2
    rise: int = 20
    decay: float = DECAY
    first: float = 0.1
    augment: str = "auto"

    @property
    def first_epochs(self) -> int:
        """Epochs of the largest network alone."""
        return math.floor(self.first * self.epochs)

    @property
    def distils(self) -> bool:
        """Whether sub-networks learn the first one's answers instead of the labels."""
        return self.method == "sandwich"

    @property
    def accumulates(self) -> bool:
        """Whether a step has one update by the mean of all gradients instead of one for each network."""
        return self.method == "sortednet"

    def rate_at(self, step: int, total: int) -> float:
        """Learning rate of ``step`` of ``total``."""
        return self.rate * 0.5 * (1 + math.cos(math.pi * step / total)) * min(1.0, (step + 1) / self.rise)


def usual_decay(kind: str, channels: int) -> float:
    """Weight decay of finalists for samples of a kind, where none is asked for."""
    if photographs(kind, channels):
        return PHOTO_DECAY
    return SIGNAL_DECAY if kind == "signal" else DECAY


def sandwich(space: SearchSpace, rng: np.random.Generator, count: int) -> list[Candidate]:
    """The largest, the smallest, and ``count`` - 2 random ones."""
    return [extreme(space, -1), extreme(space, 0), *(random_candidate(space, rng) for _ in range(count - 2))]


def sorted_random(space: SearchSpace, rng: np.random.Generator, count: int) -> list[Candidate]:
    """``count`` nested sub-networks: one level in [0, 1) for every kind of gene says how large all of that kind are."""
    return [_nested(space, rng) for _ in range(count)]


def _nested(space: SearchSpace, rng: np.random.Generator) -> Candidate:
    kinds = dict.fromkeys(gene.name.rsplit(".", 1)[-1] for gene in space.genes)
    level = {kind: rng.random() for kind in kinds}
    values = [g.choices[int(level[g.name.rsplit(".", 1)[-1]] * len(g.choices))] for g in space.genes]
    return make_candidate(space, values)


SAMPLERS: dict[str, Callable[[SearchSpace, np.random.Generator, int], list[Candidate]]] = {
    "sandwich": sandwich,
    "sortednet": sorted_random,
}
