"""What is proposed: sizes up to the limits first, then what climbs by prediction."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

from tinyforge.search.architecture import architecture
from tinyforge.search.feasibility import BoardLimits, Cost, first_cost
from tinyforge.search.propose import Outcome, Plan, Proposal, Proposer
from tinyforge.search.space import Candidate, gene_values, graded_candidate
from tinyforge.search.space_file import load_space

pytestmark = pytest.mark.skipif(find_spec("optuna") is None, reason="needs tinyforge[search]")
SHAPE = (32, 32, 3)
SPACE = load_space("images").for_data(SHAPE)
LIMITS = BoardLimits(16384, 1 << 20, executed_macs=2_000_000, input="rows")


def costs(candidate: Candidate) -> Cost:
    return first_cost(architecture(SPACE, candidate, SHAPE, 10), LIMITS)


def accuracy(candidate: Candidate) -> float:
    """Grows with widths and depths, less and less, as accuracies do."""
    values = gene_values(SPACE, candidate)
    size = sum(v for name, v in values.items() if name.endswith(("width", "depth")))
    return float(1 - np.exp(-size / 60))


def proposed(seed: int, batches: int) -> tuple[list[Proposal], dict[Candidate, float]]:
    """Every proposal of so many batches, and what was judged."""
    proposer = Proposer(SPACE, LIMITS, Plan(1000, (), 12, seed, predictor=True), costs)
    found: list[Proposal] = []
    outcomes: list[Outcome] = []
    judged: dict[Candidate, float] = {}
    for _ in range(batches):
        batch, _ = proposer.propose(judged, {p.candidate for p in found})
        for p in batch:
            seen = accuracy(p.candidate) if p.waits else None
            if seen is not None:
                judged[p.candidate] = seen
            outcomes.append(Outcome(p.params, p.system, p.cost, p.broken, seen, seen is not None or bool(p.broken)))
        found += batch
        proposer.learn(outcomes)
    return found, judged


def test_the_first_batch_has_all_sizes_that_fit() -> None:
    found, _ = proposed(0, 1)
    assert not any(p.broken for p in found)
    macs = sorted(p.cost.executed_macs for p in found)
    assert macs[-1] > 0.8 * 2_000_000
    assert macs[0] < 0.1 * 2_000_000


def test_later_ones_climb() -> None:
    found, judged = proposed(1, 5)
    first = [accuracy(p.candidate) for p in found[:12]]
    assert max(list(judged.values())[-12:]) > max(first)
    again, _ = proposed(1, 5)
    assert [p.candidate for p in again] == [p.candidate for p in found], "all follows from the seed"


def test_graded_candidates_are_of_one_size() -> None:
    rng = np.random.default_rng(0)
    for candidate in (graded_candidate(SPACE, rng, 0.0) for _ in range(20)):
        values = gene_values(SPACE, candidate)
        places = [g.choices.index(values[g.name]) / len(g.choices) for g in SPACE.genes if g.name.endswith(".width")]
        assert max(places) - min(places) < 0.35
