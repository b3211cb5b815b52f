"""Accuracy of a candidate guessed from those already judged: ridge regression on genes, fitted anew for every batch.

It chooses among proposals only where its guesses on candidates held out of the fit rank them well; a candidate that it
passes over may be proposed again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyforge.ir.types import Array
from tinyforge.search.space import Candidate, SearchSpace, active_genes

Doubles = npt.NDArray[np.float64]
LEAST = 30
"""Judged candidates below which nothing is predicted."""
LEAST_CORRELATION = 0.5
"""Rank correlation on held-out candidates from which the predictor pays."""
FOLDS = 5
PENALTIES = (0.3, 1.0, 3.0, 10.0, 30.0)


@dataclass(frozen=True, slots=True, eq=False)
class Predictor:
    """weights: of ``encoding``, the last is the mean. correlation: Spearman's, over candidates held out in turn."""

    space: SearchSpace
    weights: Doubles
    correlation: float

    def accuracy(self, candidate: Candidate) -> float:
        """The expected accuracy."""
        return float(encoding(self.space, candidate) @ self.weights)


def encoding(space: SearchSpace, candidate: Candidate) -> Doubles:
    """float64: for every gene its place among the choices (0..1) and one of each choice, 0 for absent blocks; a 1."""
    active = active_genes(space, candidate)
    parts: list[float] = []
    for gene in space.genes:
        if len(gene.choices) == 1:
            continue
        value = active.get(gene.name)
        place = 0.0 if value is None else gene.choices.index(value) / (len(gene.choices) - 1)
        parts += [place, *(float(value == choice) for choice in gene.choices)]
    return np.asarray([*parts, 1.0])


def fitted_predictor(space: SearchSpace, judged: Mapping[Candidate, float], seed: int) -> Predictor | None:
    """The predictor of ``judged``, or None where there are too few or held-out ranks are not found again."""
    if len(judged) < LEAST:
        return None
    x = np.stack([encoding(space, candidate) for candidate in judged])
    y = np.asarray(list(judged.values()))
    fold = np.random.default_rng([seed, 67, len(judged)]).permutation(len(y)) % FOLDS
    scored = [(_held_out(x, y, fold, penalty), penalty) for penalty in PENALTIES]
    correlation, penalty = max(scored)
    if correlation < LEAST_CORRELATION:
        return None
    return Predictor(space, _ridge(x, y, penalty), round(correlation, 4))


def _held_out(x: Doubles, y: Doubles, fold: Array, penalty: float) -> float:
    guesses = np.zeros(len(y))
    for number in range(FOLDS):
        inside = fold != number
        guesses[~inside] = x[~inside] @ _ridge(x[inside], y[inside], penalty)
    return rank_correlation(guesses, y)


def _ridge(x: Doubles, y: Doubles, penalty: float) -> Doubles:
    """Weights that make the squared error and ``penalty`` times their squares least; the last, the mean, is free."""
    mean = x[:, :-1].mean(0)
    inside, level = x[:, :-1] - mean, y.mean()
    gram = inside.T @ inside + penalty * np.eye(inside.shape[1])
    weights = np.linalg.solve(gram, inside.T @ (y - level))
    return np.append(weights, level - mean @ weights)


def rank_correlation(a: Sequence[float] | Array, b: Sequence[float] | Array) -> float:
    """Spearman's, equal values sharing their mean rank; 0 where one of the two is constant."""
    one, two = _ranks(np.asarray(a, float)), _ranks(np.asarray(b, float))
    spread = one.std() * two.std()
    return float(((one - one.mean()) * (two - two.mean())).mean() / spread) if spread > 0 else 0.0


def _ranks(values: Array) -> Array:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[inverse])
