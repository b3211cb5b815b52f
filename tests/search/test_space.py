"""Search spaces as data: presets, refusals, candidates and their layers."""

from __future__ import annotations

import numpy as np
import pytest

from tinyforge.errors import UsageError
from tinyforge.search.architecture import all_layers, architecture
from tinyforge.search.space import (
    active_genes,
    extreme,
    gene_values,
    make_candidate,
    mutated,
    random_candidate,
)
from tinyforge.search.space_file import load_space, parse_space, preset_names, space_text

SMALL = """
name = "small"
title = "for tests"
[stem]
widths = [4, 8]
[head]
widths = [0, 16]
[[stages]]
block = "mbconv"
stride = 2
widths = [8, 12]
depths = [1, 2]
kernels = [1, 3, 5]
expands = [1, 3]
squeeze = [0, 1]
"""
SHAPES = {1: (119, 1, 6), 2: (96, 96, 3)}


@pytest.mark.parametrize("name", preset_names())
def test_presets_make_networks(name: str) -> None:
    space = load_space(name)
    shape = SHAPES[space.dims]
    ready = space.for_data(shape)
    rng = np.random.default_rng(0)
    for candidate in (extreme(ready, 0), extreme(ready, -1), *(random_candidate(ready, rng) for _ in range(5))):
        network = architecture(ready, candidate, shape, 7)
        assert network.layers[-1].shape == (1, 1, 7)
        assert all(min(layer.shape) >= 1 for layer in network.layers)
        assert network.macs > 0


@pytest.mark.parametrize("name", preset_names())
def test_a_space_is_written_as_it_is_read(name: str) -> None:
    space = load_space(name)
    assert parse_space(space_text(space), name) == space
    ready = space.for_data(SHAPES[space.dims])
    inside = ready.narrowed([extreme(ready, 0), extreme(ready, -1)])
    assert parse_space(space_text(inside), name) == inside


def test_every_layer_of_any_candidate_has_weights_in_the_supernet() -> None:
    space = parse_space(SMALL, "small.toml").for_data((16, 16, 1))
    layers = all_layers(space, (16, 16, 1), 4)
    rng = np.random.default_rng(1)
    for _ in range(50):
        network = architecture(space, random_candidate(space, rng), (16, 16, 1), 4)
        for layer in network.layers:
            shape, largest = network.weight_shape(layer), layers[layer.name][1]
            assert len(shape) == len(largest)
            assert all(a <= b for a, b in zip(shape, largest, strict=True))


def test_candidates_that_differ_in_absent_blocks_only_are_equal() -> None:
    space = parse_space(SMALL, "small.toml").for_data((16, 16, 1))
    names = [gene.name for gene in space.genes]
    values = list(extreme(space, -1).values)
    values[names.index("stage0.depth")] = 1
    other = list(values)
    other[names.index("stage0.1.kernel")] = 1
    assert make_candidate(space, values) == make_candidate(space, other)
    assert "stage0.1.kernel" not in active_genes(space, make_candidate(space, values))


def test_narrowing_keeps_what_occurs() -> None:
    space = parse_space(SMALL, "small.toml").for_data((16, 16, 1))
    narrow = space.narrowed([extreme(space, 0)])
    assert narrow.size == 1
    assert gene_values(narrow, extreme(narrow, -1)) == gene_values(narrow, extreme(narrow, 0))


def test_neighbours_are_repeatable_and_inside() -> None:
    space = parse_space(SMALL, "small.toml").for_data((16, 16, 1))
    one, two = (mutated(space, extreme(space, 0), np.random.default_rng(3), 0.5) for _ in range(2))
    assert one == two
    assert make_candidate(space, one.values) == one


@pytest.mark.parametrize(
    "change, message",
    [
        (("block = ", "blok = "), "this key is missing"),
        (("kernels = [1, 3, 5]", "kernels = [2]"), "kernels are odd"),
        (("widths = [8, 12]", "widths = []"), "give at least one choice"),
        (("widths = [8, 12]", "widths = [8, 8]"), "names a choice twice"),
        (("depths = [1, 2]", "depths = [0]"), "is no integer in 1..12"),
        (('block = "mbconv"', 'block = "transformer"'), "is not one of: mbconv, dsconv, residual"),
        (("[stem]", "[stem"), "not valid TOML"),
        (("[stem]", "[stem]\nkernel = [3, 16]"), "neither one number nor two in 1..15"),
        (("[stem]", "[stem]\nstride = [2]"), "neither one number nor two in 1..4"),
        (("[stem]", "[stem]\nkernel = true"), "has the wrong type"),
        (("[stem]", "dims = 1\n[stem]\nkernel = [3, 3]"), "signals have one column"),
        (("stride = 2", 'stride = 2\npool = "min"'), "is not one of"),
        (("stride = 2", 'stride = 1\npool = "max"'), "needs a stride of 2 or more"),
        (("stride = 2", "stride = 2\nspeed = 3"), "unknown key speed"),
    ],
)
def test_refusals_name_the_file_and_the_key(change: tuple[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=r"small\.toml") as found:
        parse_space(SMALL.replace(*change), "small.toml")
    assert message in str(found.value)


def test_an_unknown_space_lists_the_presets() -> None:
    with pytest.raises(UsageError, match="mobilenetv2"):
        load_space("transformer")


def test_a_space_that_needs_more_channels_than_the_data_has_is_refused() -> None:
    space = parse_space(SMALL.replace('title = "for tests"', 'title = "t"\nchannels = [3]'), "small.toml")
    with pytest.raises(UsageError, match="needs 3 input channels"):
        space.for_data((16, 16, 1))
