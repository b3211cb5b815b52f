"""What a candidate costs: the fast level against the exact plan, limits, and narrowing."""

from __future__ import annotations

import time

import numpy as np
import pytest

from tests.shared import ROOT
from tinyforge.errors import DoesNotFit
from tinyforge.schedule.best import best_schedule
from tinyforge.schedule.options import Options
from tinyforge.search.architecture import Architecture, architecture
from tinyforge.search.feasibility import BoardLimits, cost_of, light_calls, quick_cost, violations
from tinyforge.search.light_graph import light_graph
from tinyforge.search.narrow import narrow
from tinyforge.search.space import extreme, make_candidate, random_candidate
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


TIGHT = (24, 3, 16, 24, 3, 0, 5, 4, 3, 4, 5, 4, 32, 4, 0, 5, 6, 7, 4, 5, 6, 5, 6, 64, 3, 0, 5, 4, 5, 4, 5, 4, 3, 1, 128)
"""Genes of a network that fits 8 KiB by a plan smaller than the closed form of its path, in 1.7 times the cycles."""


def test_what_the_search_finds_to_fit_can_be_compiled() -> None:
    file = ROOT / "examples" / "ablation" / "space.toml"
    space = parse_space(file.read_text(encoding="utf-8"), "ablation").for_data(SHAPE)
    rng = np.random.default_rng(5)
    limits = BoardLimits(8192, 1_000_000, input="rows")
    candidates = [make_candidate(space, TIGHT), *(random_candidate(space, rng) for _ in range(6))]
    networks = [architecture(space, candidate, SHAPE, 10) for candidate in candidates]
    costs = [cost_of(network, limits) for network in networks]
    fitting = [pair for pair in zip(networks, costs, strict=True) if not violations(pair[1], limits)]
    assert fitting[0][0] is networks[0]
    assert len(fitting) > 1
    for network, cost in fitting:
        graph = light_graph(network)
        found = best_schedule(graph, light_calls(graph), limits.arena_bytes, Options(input="rows"))
        assert found.plan.arena_bytes <= limits.arena_bytes
        # The full search may find a faster one, and kernels of equal scratch differ a little in their estimates.
        assert 0.7 <= found.estimated_cycles / cost.estimated_cycles <= 1.02


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
