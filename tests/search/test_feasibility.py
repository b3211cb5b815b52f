"""What a candidate costs: the fast level against the exact plan, limits, and narrowing."""

from __future__ import annotations

import time

import numpy as np
import pytest

from tinyforge.errors import DoesNotFit
from tinyforge.search.architecture import Architecture, architecture
from tinyforge.search.feasibility import BoardLimits, cost_of, quick_cost, violations
from tinyforge.search.light_graph import light_graph
from tinyforge.search.narrow import narrow
from tinyforge.search.space import extreme, random_candidate
from tinyforge.search.space_file import load_space, parse_space

SHAPE = (32, 32, 3)
LIMITS = BoardLimits(16 * 1024, 200_000, 12_500_000, input="rows")


PLAIN = """
name = "plain"
title = "convolutions and pooling"
[stem]
kernel = [5, 3]
stride = [2, 1]
widths = [8, 16]
[head]
widths = [0]
[[stages]]
block = "conv"
stride = 2
pool = "max"
widths = [8, 16]
depths = [1, 2]
kernels = [3, 5]
[[stages]]
block = "conv"
stride = 3
pool = "average"
widths = [16, 24]
depths = [1]
kernels = [3]
"""


def networks(count: int, seed: int = 0, name: str = "images") -> list[Architecture]:
    space = (parse_space(PLAIN, name) if name == "plain" else load_space(name)).for_data(SHAPE)
    rng = np.random.default_rng(seed)
    return [architecture(space, random_candidate(space, rng), SHAPE, 10) for _ in range(count)]


def quiet(what: str, done: int = 0, total: int = 0) -> None:
    """No progress."""


def test_light_graphs_are_sound() -> None:
    for network in networks(4) + networks(2, name="resnet8") + networks(2, name="plain"):
        graph = light_graph(network)
        for node in graph.nodes:
            shapes = node.op.infer(graph.ins(node))  # type: ignore[attr-defined]
            assert shapes == tuple(t.shape for t in graph.outs(node)), node.name
            node.op.check(graph.ins(node), graph.outs(node))  # type: ignore[attr-defined]


def test_the_fast_level_agrees_with_the_plan() -> None:
    for network in networks(6) + networks(3, name="plain"):
        quick, exact = quick_cost(network, LIMITS), cost_of(network, LIMITS)
        assert quick.executed_macs == exact.executed_macs
        assert abs(quick.arena_bytes - exact.arena_bytes) <= 0.5 * exact.arena_bytes
        assert 0.5 * exact.flash_bytes <= quick.flash_bytes <= 1.05 * exact.flash_bytes


def test_five_thousand_checks_a_minute() -> None:
    found = networks(60, seed=5)
    quick_cost(found[0], LIMITS)
    start = time.process_time()
    for network in found:
        quick_cost(network, LIMITS)
    assert 60 * len(found) / (time.process_time() - start) >= 5000


def test_broken_limits_are_parts_of_the_limit() -> None:
    network = networks(1)[0]
    cost = cost_of(network, LIMITS)
    tight = BoardLimits(cost.arena_bytes, cost.flash_bytes // 2, input="rows")
    broken = violations(cost, tight)
    assert set(broken) == {"flash_bytes"}
    assert broken["flash_bytes"] == pytest.approx(1, abs=0.01)


def test_schedules_by_layers_need_more_than_those_chosen() -> None:
    space = load_space("images").for_data(SHAPE)
    network = architecture(space, extreme(space, -1), SHAPE, 10)
    by_layers = cost_of(network, BoardLimits(24_000, 10**6, schedule="layerwise"))
    chosen = cost_of(network, BoardLimits(24_000, 10**6))
    assert chosen.arena_bytes < by_layers.arena_bytes


def test_narrowing_drops_what_never_fits_and_refuses_what_cannot() -> None:
    space = load_space("images").for_data(SHAPE)
    inside = narrow(space, SHAPE, 10, BoardLimits(6000, 60_000, 1_000_000), 150, 0, quiet)
    assert inside.fitting > 0
    assert inside.space.size < space.size
    assert inside.macs[1] < inside.macs[0]
    assert inside == narrow(space, SHAPE, 10, BoardLimits(6000, 60_000, 1_000_000), 150, 0, quiet)
    with pytest.raises(DoesNotFit, match="none of 20 networks"):
        narrow(space, SHAPE, 10, BoardLimits(500, 60_000), 20, 0, quiet)
