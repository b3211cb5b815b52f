"""The fast level: shapes without weights cost what the graph costs, and answers keep what they promise."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from tests.search.random_graphs import Builder, random_graph, run_whole
from tests.shared import COMPILED, LARGE, STREAMING, shared_model
from tinyforge.api.network import read_network
from tinyforge.codegen.generate import lower_graph
from tinyforge.errors import DoesNotFit, UsageError
from tinyforge.interp.run_schedule import run_schedule
from tinyforge.ir.graph import Graph
from tinyforge.ir.program import KernelCall
from tinyforge.ops.add import Add
from tinyforge.ops.base import Activation, Op
from tinyforge.ops.conv2d import Conv2D
from tinyforge.ops.depthwise_conv2d import DepthwiseConv2D
from tinyforge.ops.fully_connected import FullyConnected
from tinyforge.ops.mean import Mean
from tinyforge.schedule.best import best_schedule
from tinyforge.schedule.fast import estimate, wire_graph
from tinyforge.schedule.optimise import optimise
from tinyforge.schedule.options import Options
from tinyforge.schedule.shape import LayerShape, NetworkShape, wire

NONE = Activation.NONE
SHORT = (
    "con_fmnist_cnn_int8",
    "mlperf_ic_resnet8_int8",
    "mlperf_kws_dscnn_int8",
    "mlperf_sww_streaming_int8",
    "tflm_micro_speech_int8",
    "tflm_person_detect_int8",
    "tinyengine_mcunet_vww_int8",
    "tinyengine_person_detection_int8",
    "tinymaix_cifar10_int8",
)
"""Models of which both levels are compared every time."""


def slim_calls(graph: Graph) -> list[KernelCall]:
    """Of every node the call with the least scratch."""
    found = []
    for node in graph.nodes:
        assert isinstance(node.op, Op)
        ins, outs = graph.ins(node), graph.outs(node)
        call = node.op.lower(ins, outs)
        found.append((call, *node.op.lower_slim(call, ins, outs))[-1])
    return found


def block(x: int, expanded: int, out: int, kernel: int, stride: int, at: int) -> list[LayerShape]:
    """An inverted residual of layers at, at + 1, ...; with a skip where stride is 1 and channels agree."""
    layers = [
        LayerShape("conv2d", channels=expanded),
        LayerShape("depthwise_conv2d", kernel=(kernel, kernel), stride=(stride, stride)),
        LayerShape("conv2d", channels=out),
    ]
    return [*layers, LayerShape("add", inputs=(at - 1, at + 2))] if stride == 1 and x == out else layers


def mobile(rng: np.random.Generator, blocks: int, size: int = 96) -> NetworkShape:
    """A random network of inverted residuals."""
    layers = [LayerShape("conv2d", channels=16, kernel=(3, 3), stride=(2, 2))]
    channels = 16
    for i in range(blocks):
        stride = 2 if i % 4 == 1 else 1
        out = channels if stride == 1 and rng.random() < 0.7 else int(rng.integers(1, 12)) * 8
        expanded = channels * int(rng.integers(2, 7))
        layers += block(channels, expanded, out, int(rng.choice([3, 5, 7])), stride, len(layers))
        channels = out
    layers += [LayerShape("mean"), LayerShape("fully_connected", channels=10)]
    return NetworkShape((size, size, 3), tuple(layers))


def test_shapes_have_the_facts_of_the_graph() -> None:
    b = Builder(np.random.default_rng(0))
    x = b.activation((1, 21, 18, 3))
    stem = b.apply(Conv2D((2, 2), (1, 1), (1, 1, 0, 1), NONE), x, *b.weights((8, 3, 3, 3), 0))
    assert stem is not None
    wide = b.apply(Conv2D((1, 1), (1, 1), (0, 0, 0, 0), NONE), stem, *b.weights((24, 1, 1, 8), 0))
    assert wide is not None
    deep = b.apply(DepthwiseConv2D((1, 1), (1, 1), (2, 2, 2, 2), 1, NONE), wide, *b.weights((1, 5, 5, 24), 3))
    assert deep is not None
    narrow = b.apply(Conv2D((1, 1), (1, 1), (0, 0, 0, 0), NONE), deep, *b.weights((8, 1, 1, 24), 0))
    assert narrow is not None
    added = b.apply(Add(NONE), stem, narrow)
    assert added is not None
    mean = b.apply(Mean((1, 2), False), added)
    assert mean is not None
    out = b.apply(FullyConnected(NONE), mean, *b.weights((10, 8), 0))
    assert out is not None
    graph = b.graph([out])
    shape = NetworkShape(
        (21, 18, 3),
        (
            LayerShape("conv2d", channels=8, kernel=(3, 3), stride=(2, 2)),
            LayerShape("conv2d", channels=24),
            LayerShape("depthwise_conv2d", kernel=(5, 5)),
            LayerShape("conv2d", channels=8),
            LayerShape("add", inputs=(0, 3)),
            LayerShape("mean"),
            LayerShape("fully_connected", channels=10),
        ),
    )
    from_graph, from_shape = wire_graph(graph, slim_calls(graph)), wire(shape)
    assert [f._replace(alias=False) for f in from_graph.facts] == list(from_shape.facts)
    assert from_graph.reads == from_shape.reads
    assert replace(from_graph, facts=(), reads=()).outputs == from_shape.outputs


@pytest.mark.parametrize("fed", ["whole", "rows"])
def test_limits_are_kept_and_more_memory_never_costs_more(fed: str) -> None:
    shape = mobile(np.random.default_rng(1), 9)
    least = estimate(shape, Options("sram", input=fed))
    assert least.executed_macs <= 1.1 * least.macs
    assert least.arena_bytes < estimate(shape, Options(schedule="auto", input="whole")).arena_bytes
    cycles = [
        estimate(shape, Options(input=fed), int(least.arena_bytes * share)).estimated_cycles for share in (1.1, 2, 8)
    ]
    assert cycles == sorted(cycles, reverse=True)
    refused = estimate(shape, Options(input=fed), least.arena_bytes // 2)
    assert not refused.fits
    assert refused.arena_bytes > least.arena_bytes // 2


def test_shapes_that_do_not_fit_are_named() -> None:
    with pytest.raises(UsageError, match="conv3d"):
        LayerShape("conv3d")
    with pytest.raises(UsageError, match="layer 0"):
        wire(NetworkShape((8, 8, 1), (LayerShape("relu", inputs=(3,)),)))
    with pytest.raises(UsageError, match="does not fit"):
        wire(NetworkShape((8, 8, 1), (LayerShape("max_pool2d", kernel=(9, 9), padding="valid"),)))


def test_feasibility_checks_a_second() -> None:
    """Building the description included; the bar is 5,000 a minute on two cores, here with room for a slow machine."""
    rng = np.random.default_rng(2)
    estimate(mobile(rng, 12), Options("sram", input="rows"), 32768)
    start = time.process_time()
    for _ in range(20):
        estimate(mobile(rng, 12), Options(max_mac_factor=1.05, input="rows"), 32768)
    assert (time.process_time() - start) / 20 < 0.040


def test_the_answer_for_a_graph_is_a_schedule_that_can_be_planned_and_is_exact() -> None:
    rng = np.random.default_rng(5)
    for _ in range(12):
        graph = random_graph(rng, int(rng.integers(3, 10)))
        calls = [n.op.lower(graph.ins(n), graph.outs(n)) for n in graph.nodes if isinstance(n.op, Op)]
        found = optimise(graph, calls, options=Options("sram", max_mac_factor=1.5, level="fast"))
        inputs = {"t0": rng.integers(-128, 128, graph.tensors["t0"].shape).astype(np.int8)}
        got = run_schedule(graph, found.schedule, found.plan, inputs)
        for name, expected in run_whole(graph, inputs).items():
            np.testing.assert_array_equal(got[name], expected)


CLOSE = [
    pytest.param(name, fed, factor, marks=[] if factor == usual and name in SHORT else pytest.mark.long)
    for name in (*COMPILED, *STREAMING, *LARGE)
    for fed, usual in (("rows", 1.05), ("whole", 1.25))
    for factor in (1.05, 1.25)
]


@pytest.mark.parametrize(("name", "fed", "factor"), CLOSE)
def test_the_fast_level_comes_close_to_the_full_one(name: str, fed: str, factor: float) -> None:
    graph = read_network(shared_model(name), "int8").graph
    calls = lower_graph(graph)
    options = Options("sram", max_mac_factor=factor, input=fed)
    try:
        full = best_schedule(graph, calls, options=options)
    except DoesNotFit:
        with pytest.raises(DoesNotFit):
            best_schedule(graph, calls, options=replace(options, level="fast"))
        return
    fast = best_schedule(graph, calls, options=replace(options, level="fast"))
    assert 0.85 * full.arena_bytes <= fast.arena_bytes <= 1.15 * full.arena_bytes
    assert fast.plan.arena_bytes <= 1.15 * full.arena_bytes


@pytest.mark.parametrize("name", ["tinyengine_mcunet_vww_int8", "tflm_person_detect_int8"])
def test_answers_for_graphs_a_second(name: str) -> None:
    """The bar is 200 a second on one core, here with room for a slow machine."""
    graph = read_network(shared_model(name), "int8").graph
    calls = lower_graph(graph)
    options = Options("sram", max_mac_factor=1.05, input="rows", level="fast")
    times = []
    for _ in range(5):
        start = time.process_time()
        for _ in range(4):
            best_schedule(graph, calls, None, options)
        times.append((time.process_time() - start) / 4)
    assert min(times) < 0.010


def test_a_fed_layer_is_a_stage_by_itself_where_its_output_is_read_again() -> None:
    b = Builder(np.random.default_rng(7))
    x = b.activation((1, 20, 16, 3))
    stem = b.apply(Conv2D((1, 1), (1, 1), (1, 1, 1, 1), NONE), x, *b.weights((4, 3, 3, 3), 0))
    assert stem is not None
    deep = b.apply(Conv2D((1, 1), (1, 1), (1, 1, 1, 1), NONE), stem, *b.weights((4, 3, 3, 4), 0))
    assert deep is not None
    out = b.apply(Add(NONE), stem, deep)
    assert out is not None
    graph = b.graph([out])
    calls = lower_graph(graph)
    options = Options("sram", max_mac_factor=1.05, input="rows")
    fast = optimise(graph, calls, None, replace(options, level="fast"))
    full = optimise(graph, calls, None, options)
    assert fast.arena_bytes == fast.plan.arena_bytes <= 1.15 * full.arena_bytes
    inputs = {x: np.random.default_rng(8).integers(-128, 128, (1, 20, 16, 3)).astype(np.int8)}
    got = run_schedule(graph, fast.schedule, fast.plan, inputs)
    np.testing.assert_array_equal(got[out], run_whole(graph, inputs)[out])


@pytest.mark.parametrize("level", ["full", "fast"])
def test_several_inputs_cannot_be_fed(level: str) -> None:
    b = Builder(np.random.default_rng(9))
    x, y = b.activation((1, 8, 8, 2)), b.activation((1, 8, 8, 2))
    out = b.apply(Add(NONE), x, y)
    assert out is not None
    graph = replace(b.graph([out]), inputs=(x, y))
    with pytest.raises(DoesNotFit, match="2 inputs cannot be fed"):
        optimise(graph, lower_graph(graph), None, Options("sram", input="rows", level=level))


def squeezed(blocks: int) -> NetworkShape:
    """Inverted residuals with squeeze-and-excite on large maps."""
    layers = [
        LayerShape("conv2d", channels=8, kernel=(3, 3), stride=(2, 2)),
        LayerShape("depthwise_conv2d", kernel=(3, 3)),
        LayerShape("conv2d", channels=8),
    ]
    for _ in range(blocks):
        x = len(layers) - 1
        layers += [
            LayerShape("conv2d", channels=48),
            LayerShape("depthwise_conv2d", kernel=(3, 3)),
            LayerShape("mean"),
            LayerShape("fully_connected", channels=12),
            LayerShape("fully_connected", channels=48),
            LayerShape("mul", inputs=(x + 2, x + 5)),
            LayerShape("conv2d", channels=8),
            LayerShape("add", inputs=(x, x + 7)),
        ]
    layers += [LayerShape("mean"), LayerShape("fully_connected", channels=10)]
    return NetworkShape((64, 64, 3), tuple(layers))


def test_squeezes_run_in_two_passes() -> None:
    shape = squeezed(2)
    one = estimate(shape, Options("sram", max_mac_factor=1.0, input="rows"))
    two = estimate(shape, Options("sram", max_mac_factor=2.0, input="rows"))
    held = 32 * 32 * 48
    assert one.arena_bytes > held
    assert two.arena_bytes < held / 2
    assert one.macs == two.macs < two.executed_macs <= 2.0 * two.macs
    fitting = estimate(shape, Options(max_mac_factor=2.0, input="rows"), one.arena_bytes // 2)
    assert fitting.fits
    roomy = estimate(shape, Options(max_mac_factor=2.0, input="rows"), 4 * one.arena_bytes)
    assert roomy.executed_macs == roomy.macs
