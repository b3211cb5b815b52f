"""Which sub-networks a step trains, the learning rate, and the order of channels; without TensorFlow."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from tinyforge.api.search_points import finalist_recipe
from tinyforge.errors import UsageError
from tinyforge.search.architecture import all_layers
from tinyforge.search.channel_order import channel_groups, importance, moved, sorted_channels
from tinyforge.search.dataset import make_dataset
from tinyforge.search.finalist import told_apart
from tinyforge.search.recipes import Recipe, sandwich, sorted_random, usual_decay
from tinyforge.search.settings import SearchSettings, settings_from
from tinyforge.search.sources import load_data
from tinyforge.search.space import Candidate, SearchSpace, extreme, gene_values
from tinyforge.search.space_file import load_space, preset_names
from tinyforge.search.supernet import initial_weights

SHAPE = (32, 32, 3)


def small(name: str = "images") -> SearchSpace:
    return load_space(name).for_data(SHAPE)


def test_a_sandwich_has_both_ends() -> None:
    space = small()
    found = sandwich(space, np.random.default_rng(0), 4)
    assert found[:2] == [extreme(space, -1), extreme(space, 0)]
    assert len(set(found)) == 4


def levels(space: SearchSpace, candidate: Candidate, kind: str) -> list[tuple[int, int]]:
    """Place of the choice and number of choices, of every gene of ``kind``."""
    values = gene_values(space, candidate)
    genes = [g for g in space.genes if g.name.endswith(f".{kind}") and len(g.choices) > 1]
    return [(g.choices.index(values[g.name]), len(g.choices)) for g in genes]


def test_sorted_sub_networks_are_nested() -> None:
    space = small()
    found = sorted_random(space, np.random.default_rng(0), 50)
    for kind in ("width", "depth"):
        places = sorted(levels(space, candidate, kind) for candidate in found)
        for less, more in pairwise(places):
            assert all(a <= b for (a, _), (b, _) in zip(less, more, strict=True)), kind
    assert len(set(found)) > 20


def test_the_rate_rises_and_falls() -> None:
    recipe = Recipe(10, rate=0.5, rise=5)
    rates = [recipe.rate_at(step, 100) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == pytest.approx(max(rates[4:6]))
    assert all(a > b for a, b in pairwise(rates[5:]))
    assert rates[-1] < 1e-3


def test_finalists_are_trained_with_the_decay_asked_for() -> None:
    data = make_dataset(load_data("digits"), 0)
    assert finalist_recipe(SearchSettings(decay=0.07), data).decay == 0.07
    assert finalist_recipe(settings_from(SearchSettings(decay=0.07).as_json()), data, 3).decay == 0.07
    assert finalist_recipe(SearchSettings(), data).decay == usual_decay("image", 1)
    assert usual_decay("image", 1) < usual_decay("signal", 6) < usual_decay("image", 3)


def test_unknown_recipe() -> None:
    with pytest.raises(UsageError, match="sandwich, sortednet"):
        SearchSettings(recipe="toast")


@pytest.mark.parametrize("name", preset_names())
def test_channels_are_sorted_group_by_group(name: str) -> None:
    space = small(name) if load_space(name).dims == 2 else load_space(name).for_data((64, 1, 3))
    weights = initial_weights(all_layers(space, SHAPE if space.dims == 2 else (64, 1, 3), 5), 0)
    groups = channel_groups(space)
    assert {key.rsplit("/", 1)[0] for key in weights} <= set(groups)
    orders = sorted_channels(weights, groups)
    after = dict(moved(weights, groups, orders))
    for group, norms in importance(after, groups).items():
        np.testing.assert_allclose(norms, importance(weights, groups)[group][orders[group]])
        assert (np.diff(norms) <= 1e-9).all(), group
    for key, array in weights.items():
        assert after[key].shape == array.shape
        np.testing.assert_allclose(np.sort(after[key], axis=None), np.sort(array, axis=None))


@pytest.mark.parametrize(
    "lost, won, apart", [(0, 0, False), (1, 0, False), (2, 0, True), (3, 1, False), (90, 70, True)]
)
def test_networks_are_told_apart_by_what_one_of_them_gets_right(lost: int, won: int, apart: bool) -> None:
    better = np.asarray([True] * lost + [False] * won + [True, False] * 50)
    other = np.asarray([False] * lost + [True] * won + [True, False] * 50)
    assert told_apart(better, other) is apart
    assert not told_apart(other, better)
