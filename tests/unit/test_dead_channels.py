"""Constant channels disappear and nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest

from tests.ops.conformance import activation, constant
from tinyforge.interp.run_graph import run_graph
from tinyforge.ir.graph import Graph, Node, Tensor
from tinyforge.ir.types import Array, Quant
from tinyforge.ops.average_pool2d import AveragePool2D
from tinyforge.ops.base import Activation, Op
from tinyforge.ops.conv2d import Conv2D
from tinyforge.ops.depthwise_conv2d import DepthwiseConv2D
from tinyforge.ops.fully_connected import FullyConnected
from tinyforge.ops.reshape import Reshape
from tinyforge.passes.dead_channels import KEPT, drop_dead_channels
from tinyforge.passes.verify import verify

DEAD = -3_000_000  # a bias below every sum of these networks
HIGH = 3_000_000


class Network:
    """A chain of operators on the last tensor."""

    def __init__(self, seed: int, zero: int = -128) -> None:
        self.rng = np.random.default_rng(seed)
        self.quant = Quant((0.05,), (zero,))
        self.tensors: dict[str, Tensor] = {"x": activation("x", (1, 6, 5, 3), self.quant)}
        self.nodes: list[Node] = []
        self.last = "x"

    def add(self, op: Op, *constants: Tensor) -> None:
        number = len(self.nodes)
        ins = [self.tensors[self.last], *constants]
        name = f"t{number}"
        self.tensors |= {t.name: t for t in constants}
        self.tensors[name] = activation(name, op.infer(ins)[0], self.quant)
        self.nodes.append(Node(f"n{number}", op, tuple(t.name for t in ins), (name,)))
        self.last = name

    def weights(self, shape: tuple[int, ...], bias: dict[int, int], axis: int) -> tuple[Tensor, Tensor]:
        number, count = len(self.nodes), shape[axis]
        scales = tuple(float(np.float32(s)) for s in self.rng.uniform(0.004, 0.01, count))
        w = self.rng.integers(-90, 91, shape).astype(np.int8)
        alive = [0] * len(shape)
        alive[axis] = slice(None)  # type: ignore[call-overload]
        w[tuple(alive)] = 100  # so that no other channel is dead by chance
        b = self.rng.integers(-500, 500, count)
        for channel, value in bias.items():
            b[channel] = value
        quant = Quant(scales, (0,) * count, axis)
        return constant(f"w{number}", w, quant), constant(f"b{number}", b.astype(np.int32), None)

    def conv(self, channels: int, bias: dict[int, int], kernel: int = 1, act: Activation = Activation.RELU) -> None:
        c = self.tensors[self.last].shape[3]
        pad = kernel // 2
        op = Conv2D((1, 1), (1, 1), (pad,) * 4, act)
        self.add(op, *self.weights((channels, kernel, kernel, c), bias, 0))

    def depthwise(self, bias: dict[int, int]) -> None:
        c = self.tensors[self.last].shape[3]
        op = DepthwiseConv2D((1, 1), (1, 1), (1, 1, 1, 1), 1, Activation.RELU)
        self.add(op, *self.weights((1, 3, 3, c), bias, 3))

    def graph(self) -> Graph:
        return Graph("g", self.tensors, tuple(self.nodes), ("x",), (self.last,))


def outputs(graph: Graph, x: Array) -> Array:
    return run_graph(graph, {"x": x})[graph.outputs[0]]


def same(graph: Graph) -> Graph:
    """The pruned graph, equal on random inputs."""
    smaller = verify(drop_dead_channels(graph), "drop_dead_channels")
    rng = np.random.default_rng(1)
    for _ in range(5):
        x = rng.integers(-128, 128, graph.tensors["x"].shape).astype(np.int8)
        np.testing.assert_array_equal(outputs(smaller, x), outputs(graph, x))
    return smaller


def channels(graph: Graph) -> list[int]:
    return [graph.tensors[n.outputs[0]].shape[-1] for n in graph.nodes]


def test_a_dead_channel_goes_with_its_depthwise_convolution() -> None:
    net = Network(1)
    net.conv(8, {1: DEAD, 5: DEAD})
    net.depthwise({})
    net.conv(4, {})
    assert channels(same(net.graph())) == [6, 6, 4]


def test_values_beside_the_zero_point_are_folded_only_without_padding() -> None:
    for kernel, left in ((1, 7), (3, 8)):
        net = Network(2)
        net.conv(8, {2: HIGH})  # always 127
        net.conv(5, {}, kernel)
        assert channels(same(net.graph())) == [left, 5]


def test_death_spreads_through_sums_that_became_narrow() -> None:
    net = Network(3)
    net.conv(6, {c: DEAD for c in range(1, 6)})
    net.conv(8, {c: -40_000 for c in range(4)})
    net.conv(3, {})
    first, second, last = channels(same(net.graph()))
    assert (first, last) == (2, 3)
    assert second <= 4


def test_through_pooling_and_reshape_to_the_classifier() -> None:
    net = Network(4)
    net.conv(9, {0: DEAD, 3: DEAD, 8: HIGH})
    net.add(AveragePool2D((6, 5), (1, 1), (0, 0, 0, 0), Activation.NONE))
    net.add(Reshape((1, 9)))
    net.add(FullyConnected(Activation.NONE), *net.weights((4, 9), {}, 0))
    assert channels(same(net.graph())) == [6, 6, 6, 4]


def test_some_channels_stay_where_all_are_dead() -> None:
    net = Network(5)
    net.conv(6, dict.fromkeys(range(6), DEAD))
    net.depthwise({})
    net.conv(4, {})
    assert channels(same(net.graph())) == [KEPT, KEPT, 4]


@pytest.mark.parametrize("zero", [-128, -3])
def test_outputs_and_live_networks_stay(zero: int) -> None:
    net = Network(6, zero)
    net.conv(6, {1: DEAD})
    graph = net.graph()
    assert drop_dead_channels(graph) is graph
