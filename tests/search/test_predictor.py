"""Predicted accuracies: used where they rank candidates that were held out, and only there."""

from __future__ import annotations

import numpy as np
import pytest

from tinyforge.search.predictor import LEAST, encoding, fitted_predictor, rank_correlation
from tinyforge.search.space import Candidate, active_genes, random_candidate
from tinyforge.search.space_file import load_space

SPACE = load_space("tiny").for_data((32, 32, 1))


def candidates(count: int, seed: int) -> list[Candidate]:
    rng = np.random.default_rng(seed)
    return list(dict.fromkeys(random_candidate(SPACE, rng) for _ in range(count)))


def size(candidate: Candidate) -> float:
    """Larger for wider, deeper networks."""
    active = active_genes(SPACE, candidate)
    return 0.3 + 0.01 * sum(active[f"stage{i}.width"] / 4 + 2 * active[f"stage{i}.depth"] for i in range(3))


def test_ranks() -> None:
    assert rank_correlation([1, 2, 3, 4], [10, 20, 30, 40]) == pytest.approx(1)
    assert rank_correlation([1, 2, 3, 4], [4, 3, 2, 1]) == pytest.approx(-1)
    # Two share the ranks 2 and 3: 1, 2.5, 2.5, 4 against 1, 2, 3, 4.
    assert rank_correlation([5, 7, 7, 9], [1, 2, 3, 4]) == pytest.approx(4.5 / np.sqrt(4.5 * 5))
    assert rank_correlation([1, 1, 1], [1, 2, 3]) == 0


def test_what_follows_from_the_genes_is_predicted() -> None:
    judged = {c: size(c) for c in candidates(60, 0)}
    predictor = fitted_predictor(SPACE, judged, 0)
    assert predictor is not None
    assert predictor.correlation > 0.9
    unseen = [c for c in candidates(100, 1) if c not in judged]
    assert rank_correlation([predictor.accuracy(c) for c in unseen], [size(c) for c in unseen]) > 0.9
    again = fitted_predictor(SPACE, judged, 0)
    assert again is not None
    np.testing.assert_array_equal(again.weights, predictor.weights)


def test_noise_and_few_are_not_predicted() -> None:
    rng = np.random.default_rng(2)
    assert fitted_predictor(SPACE, {c: float(rng.random()) for c in candidates(60, 0)}, 0) is None
    few = dict.fromkeys(candidates(200, 0)[: LEAST - 1], 0.5)
    assert fitted_predictor(SPACE, few, 0) is None


def test_absent_blocks_make_no_difference_to_the_encoding() -> None:
    names = [gene.name for gene in SPACE.genes]
    one = next(c for c in candidates(50, 3) if c.values[names.index("stage1.depth")] == 1)
    other = list(one.values)
    place = names.index("stage1.1.kernel")
    other[place] = SPACE.genes[place].choices[-1]
    np.testing.assert_array_equal(encoding(SPACE, one), encoding(SPACE, Candidate(tuple(other))))
