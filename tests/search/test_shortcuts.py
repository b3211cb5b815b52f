"""Residual blocks whose shortcut is strided too: a stage must compute all of what is read outside it."""

from __future__ import annotations

import numpy as np
import pytest

from tests.graph_builder import CONV, NONE, POOL, GraphBuilder, imported
from tests.tflite_writer import write_tflite
from tinyforge.codegen.generate import lower_graph
from tinyforge.errors import DoesNotFit
from tinyforge.interp.run_graph import run_graph
from tinyforge.interp.run_schedule import run_schedule
from tinyforge.ir.graph import Graph
from tinyforge.schedule.optimise import Options, optimise


def pre_activation_block(size: int) -> Graph:
    """A convolution, then (batch norm, RELU) read by a 3x3 of stride 2 and by a 1x1 of stride 2."""
    b = GraphBuilder(size)
    x = b.input((1, 2 * size, 2 * size, 3))
    half, quarter = (1, size, size, 8), (1, -(-size // 2), -(-size // 2), 8)
    same = CONV | {"padding": (1, 1, 1, 1)}
    y = b.op("conv2d", [x, b.const((8, 3, 3, 3)), b.bias(8)], (1, 2 * size, 2 * size, 8), (0.4, 0), **same)
    y = b.op("max_pool2d", [y], half, (0.4, 0), **POOL)
    y = b.op("mul", [y, b.const((8,), (0.01, 0))], half, (0.3, 0), activation=NONE)
    y = b.op("relu", [y], half, (0.1, -128))
    strided = CONV | {"stride": (2, 2)}
    shortcut = b.op("conv2d", [y, b.const((8, 1, 1, 8)), b.bias(8)], quarter, (0.4, 0), **strided)
    pads = (1, 1, 1, 1) if size % 2 else (0, 1, 0, 1)
    z = b.op("conv2d", [y, b.const((8, 3, 3, 8)), b.bias(8)], quarter, (0.4, 0), **strided | {"padding": pads})
    z = b.op("conv2d", [z, b.const((8, 3, 3, 8)), b.bias(8)], quarter, (0.4, 0), **same)
    return imported(write_tflite(b.graph([x], [b.op("add", [z, shortcut], quarter, (0.6, 0), activation=NONE)])))


@pytest.mark.parametrize("size", [10, 11])
def test_every_limit_gives_an_exact_schedule_or_a_refusal(size: int) -> None:
    graph = pre_activation_block(size)
    calls = lower_graph(graph)
    whole = optimise(graph, calls, options=Options(schedule="layerwise")).plan.arena_bytes
    values = np.random.default_rng(size).integers(-128, 128, graph.tensors[graph.inputs[0]].shape).astype(np.int8)
    inputs = {graph.inputs[0]: values}
    want = run_graph(graph, inputs)[graph.outputs[0]]
    fitting = 0
    for limit in range(whole // 2, whole, whole // 12):
        try:
            found = optimise(graph, calls, limit)
        except DoesNotFit:
            continue
        fitting += 1
        got = run_schedule(graph, found.schedule, found.plan, inputs)[graph.outputs[0]]
        np.testing.assert_array_equal(got, want)
    assert fitting
