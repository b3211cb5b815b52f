"""Squeeze-and-excite blocks in two passes: found, repeated, worth it, and exact."""

from __future__ import annotations

import numpy as np
import pytest

from tests.search.random_graphs import random_schedule, run_whole
from tests.search.squeeze_graphs import SqueezeBuilder, squeeze_graph
from tinyforge.codegen.generate import generate, lower_graph
from tinyforge.errors import DoesNotFit
from tinyforge.interp.run_schedule import run_schedule
from tinyforge.ir.graph import Graph
from tinyforge.ir.types import Array
from tinyforge.memory.plan import plan_memory
from tinyforge.ops.add import Add
from tinyforge.ops.base import Activation
from tinyforge.ops.mean import Mean
from tinyforge.ops.mul import Mul
from tinyforge.passes.verify import verify
from tinyforge.schedule.best import best_schedule
from tinyforge.schedule.estimate import Costs
from tinyforge.schedule.layerwise import layerwise
from tinyforge.schedule.optimise import Options, optimise
from tinyforge.schedule.space import Space, make_space
from tinyforge.schedule.squeeze import find_squeezes, repeat


def space_of(graph: Graph) -> Space:
    calls = lower_graph(graph)
    return make_space(graph, calls, Costs(graph).all(calls))


def one_block(squeezed: bool = True, wide: int = 24, narrow: int = 4) -> Graph:
    """convolution, expansion, depthwise, [squeeze, gate,] projection, residual."""
    b = SqueezeBuilder(np.random.default_rng(5))
    x = b.conv(b.activation((1, 12, 12, 3)), narrow, Activation.RELU6, 3)
    y = b.depthwise(b.conv(x, wide), 3, 1, Activation.RELU6)
    if squeezed:
        gate = b.conv(b.conv(b.put(Mean((1, 2), True), y), 3, Activation.RELU), wide)
        y = b.put(Mul(Activation.NONE), y, gate)
    return b.graph([b.put(Add(Activation.NONE), b.conv(y, narrow), x)])


def inputs_of(graph: Graph, rng: np.random.Generator) -> dict[str, Array]:
    shape = graph.tensors[graph.inputs[0]].shape
    return {graph.inputs[0]: rng.integers(-128, 128, shape).astype(np.int8)}


def test_the_expansion_and_the_depthwise_run_again_after_the_gate() -> None:
    graph = one_block()
    space = space_of(graph)
    (found,) = find_squeezes(space, fed=True)
    assert [graph.nodes[i].op.kind for i in found.region] == ["conv2d", "depthwise_conv2d"]
    assert space.made[found.held] == found.region[-1]
    assert space.made[found.source] == 0
    assert [graph.nodes[i].op.kind for i in found.gated] == ["mul"]
    assert found.macs == 12 * 12 * 24 * (4 + 9)
    assert found.alive == 12 * 12 * (24 + 4) + 24
    assert find_squeezes(space, fed=False) == (found,)


def test_nothing_is_found_where_nothing_is_gained() -> None:
    assert not find_squeezes(space_of(one_block(squeezed=False)), fed=False)
    assert not find_squeezes(space_of(one_block(wide=7)), fed=True)  # the source is not twice smaller


def test_a_fed_input_cannot_be_read_again() -> None:
    b = SqueezeBuilder(np.random.default_rng(6))
    x = b.activation((1, 12, 12, 2))
    y = b.conv(x, 20, Activation.RELU6, 3)
    y = b.put(Mul(Activation.NONE), y, b.put(Mean((1, 2), True), y))
    graph = b.graph([b.conv(y, 2)])
    assert find_squeezes(space_of(graph), fed=False)
    assert not find_squeezes(space_of(graph), fed=True)


@pytest.mark.parametrize("seed", range(4))
def test_repeating_changes_no_output(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = squeeze_graph(rng, 3)
    space = space_of(graph)
    squeezes = find_squeezes(space, fed=False)
    grown, calls = repeat(space, squeezes)
    verify(grown, "repeat")
    assert len(grown.nodes) == len(graph.nodes) + sum(len(s.region) for s in squeezes)
    assert make_space(grown, calls, Costs(grown).all(calls)).total_macs == space.total_macs
    inputs = inputs_of(graph, rng)
    for name, want in run_whole(graph, inputs).items():
        np.testing.assert_array_equal(run_whole(grown, inputs)[name], want)


def test_weights_are_in_flash_once() -> None:
    graph = one_block()
    space = space_of(graph)
    grown, calls = repeat(space, find_squeezes(space, fed=False))
    sizes = []
    for network, used in ((graph, space.calls), (grown, calls)):
        schedule = layerwise(network)
        tree = generate(network, schedule, plan_memory(network, schedule, used, effort=0), used, "net")
        sizes.append(len(tree.files["net_weights.c"]))
    assert sizes[0] == sizes[1]


@pytest.mark.parametrize("seed", range(8))
def test_random_schedules_of_both_passes_are_exact(seed: int) -> None:
    rng = np.random.default_rng(100 + seed)
    graph = squeeze_graph(rng, 2, largest=12)
    space = space_of(graph)
    grown, calls = repeat(space, find_squeezes(space, fed=False))
    inputs = inputs_of(graph, rng)
    want = run_whole(graph, inputs)
    for _ in range(2):
        schedule = random_schedule(rng, grown)
        got = run_schedule(grown, schedule, plan_memory(grown, schedule, calls, effort=50), inputs, seed=seed)
        for name, data in want.items():
            np.testing.assert_array_equal(got[name], data, err_msg=str(schedule))


@pytest.mark.parametrize("fed", ["whole", "rows"])
@pytest.mark.parametrize("seed", range(3))
def test_the_best_schedule_is_exact_and_never_larger_than_without(seed: int, fed: str) -> None:
    rng = np.random.default_rng(200 + seed)
    graph = squeeze_graph(rng, 3)
    calls = lower_graph(graph)
    options = Options("sram", max_mac_factor=1.6, input=fed)
    plain = optimise(graph, calls, options=options)
    best = best_schedule(graph, calls, options=options)
    assert best.arena_bytes <= plain.arena_bytes
    assert best.macs == plain.macs
    assert best.mac_factor <= 1.6
    inputs = inputs_of(graph, rng)
    got = run_schedule(best.graph, best.schedule, best.plan, inputs)
    for name, data in run_whole(graph, inputs).items():
        np.testing.assert_array_equal(got[name], data)


def test_two_passes_are_much_smaller_and_the_factor_forbids_them() -> None:
    graph = one_block()
    calls = lower_graph(graph)
    plain = optimise(graph, calls, options=Options("sram", max_mac_factor=2.0, input="rows"))
    best = best_schedule(graph, calls, options=Options("sram", max_mac_factor=2.0, input="rows"))
    assert best.arena_bytes < 0.75 * plain.arena_bytes
    assert any(node.repeats for node in best.graph.nodes)
    assert "two passes" in best.explanation[0]
    assert best_schedule(graph, calls, options=Options("sram", max_mac_factor=1.2, input="rows")).graph is graph


def test_a_limit_that_only_two_passes_keep() -> None:
    graph = one_block()
    calls = lower_graph(graph)
    whole = {"input": "rows", "max_mac_factor": 2.0}
    plain = optimise(graph, calls, options=Options("sram", **whole))  # type: ignore[arg-type]
    limit = plain.arena_bytes * 9 // 10
    found = best_schedule(graph, calls, limit, Options("balanced", **whole))  # type: ignore[arg-type]
    assert found.arena_bytes <= limit
    assert any(node.repeats for node in found.graph.nodes)
    roomy = best_schedule(graph, calls, 4 * plain.arena_bytes, Options("balanced", **whole))  # type: ignore[arg-type]
    assert roomy.graph is graph
    with pytest.raises(DoesNotFit, match=r"needs [\d,]+ B of SRAM"):
        best_schedule(graph, calls, 500, Options("balanced", **whole))  # type: ignore[arg-type]
