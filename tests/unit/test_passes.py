"""Every pass on small files: what it removes, what it must leave alone, and that LiteRT's results stay the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.graph_builder import CONV, NONE, POOL, GraphBuilder, assert_like_litert, imported, kinds
from tests.tflite_writer import write_tflite
from tinyforge.errors import TinyforgeError, UsageError
from tinyforge.ir.graph import Adapter, Tensor
from tinyforge.ir.types import Quant
from tinyforge.ops.base import Activation
from tinyforge.passes.adapters import dequantize, from_model, quantize, to_model
from tinyforge.passes.pipeline import PASSES, optimise
from tinyforge.passes.verify import verify

Q = (0.1, 5)
FLOAT: tuple[Any, str] = (None, "float32")
AROUND = {"paddings": ((0, 0), (1, 2), (0, 1), (0, 0))}


def padded(b: GraphBuilder, value: int | None, quant: tuple[float, int] = Q) -> tuple[str, str]:
    """x (1, 6, 8, 3) and its padded form (1, 9, 9, 3)."""
    x = b.input((1, 6, 8, 3), quant)
    return x, b.op("pad", [x], (1, 9, 9, 3), quant, value=value, **AROUND)


@pytest.mark.parametrize("value,folded", [(None, True), (5, True), (4, False)])
def test_pad_before_convolution(value: int | None, folded: bool) -> None:
    b = GraphBuilder()
    x, p = padded(b, value)
    y = b.op("conv2d", [p, b.const((4, 3, 3, 3)), b.bias(4)], (1, 4, 4, 4), (0.4, 3), **CONV | {"stride": (2, 2)})
    graph = assert_like_litert(b, [x], [y])
    assert kinds(graph) == (["conv2d"] if folded else ["pad", "conv2d"])
    if folded:
        assert graph.nodes[0].op.padding == (1, 2, 0, 1)  # type: ignore[attr-defined]


def test_pad_read_by_two_convolutions_and_adds_to_their_own_padding() -> None:
    b = GraphBuilder()
    x, p = padded(b, None)
    same = CONV | {"padding": (1, 1, 1, 1)}
    y = b.op("conv2d", [p, b.const((4, 3, 3, 3)), b.bias(4)], (1, 9, 9, 4), (0.4, 3), **same)
    weights = b.const((1, 3, 3, 3))
    z = b.op("depthwise_conv2d", [p, weights, b.bias(3)], (1, 7, 7, 3), (0.4, 3), **CONV, multiplier=1)
    assert sorted(kinds(assert_like_litert(b, [x], [y, z]))) == ["conv2d", "depthwise_conv2d"]


def per_channel(weights: Tensor) -> Tensor:
    """Weights of a depthwise convolution with a scale for each channel."""
    count = weights.shape[3]
    scales = tuple(float(np.float32(0.01 + 0.005 * i)) for i in range(count))
    return replace(weights, type=replace(weights.type, quant=Quant(scales, (0,) * count, axis=3)))


@pytest.mark.parametrize("channels", [1, 2, 7, 8])
def test_a_depthwise_convolution_of_one_channel_is_an_ordinary_one(channels: int) -> None:
    b = GraphBuilder()
    x = b.input((1, 9, 8, 1), Q)
    weights = b.const((1, 4, 3, channels))
    b.tensors[weights] = per_channel(b.tensors[weights])
    options = CONV | {"stride": (2, 1), "padding": (1, 2, 1, 0)}
    inputs = [x, weights, b.bias(channels)]
    y = b.op("depthwise_conv2d", inputs, (1, 5, 7, channels), (0.4, 3), **options, multiplier=channels)
    graph = assert_like_litert(b, [x], [y])
    assert kinds(graph) == ["conv2d" if channels > 1 else "depthwise_conv2d"]


def test_a_depthwise_convolution_of_several_channels_stays() -> None:
    b = GraphBuilder()
    x = b.input((1, 6, 6, 2), Q)
    inputs = [x, b.const((1, 3, 3, 4)), b.bias(4)]
    y = b.op("depthwise_conv2d", inputs, (1, 4, 4, 4), (0.4, 3), **CONV, multiplier=2)
    assert kinds(assert_like_litert(b, [x], [y])) == ["depthwise_conv2d"]


def test_pads_one_after_the_other() -> None:
    b = GraphBuilder()
    x = b.input((1, 20, 6), Q)
    p = b.op("pad", [x], (1, 22, 6), Q, value=None, paddings=((0, 0), (2, 0), (0, 0)))
    p = b.op("pad", [p], (1, 24, 6), Q, value=None, paddings=((0, 0), (1, 1), (0, 0)))
    wide = b.op("expand_dims", [p], (1, 1, 24, 6), Q, axis=1)
    y = b.op("conv2d", [wide, b.const((6, 1, 4, 6)), b.bias(6)], (1, 1, 21, 6), Q, **CONV)
    graph = assert_like_litert(b, [x], [y])
    assert kinds(graph) == ["reshape", "conv2d"]
    assert graph.nodes[1].op.padding == (0, 0, 3, 1)  # type: ignore[attr-defined]


def test_pad_stays_where_it_is_an_output() -> None:
    b = GraphBuilder()
    x, p = padded(b, None)
    y = b.op("conv2d", [p, b.const((4, 3, 3, 3)), b.bias(4)], (1, 7, 7, 4), (0.4, 3), **CONV)
    assert sorted(kinds(assert_like_litert(b, [x], [y, p]))) == ["conv2d", "pad"]


@pytest.mark.parametrize(
    "kind,value,folded", [("max_pool2d", -128, True), ("max_pool2d", 5, False), ("average_pool2d", 5, False)]
)
def test_pad_before_pools(kind: str, value: int, folded: bool) -> None:
    b = GraphBuilder()
    x = b.input((1, 6, 8, 3), Q)
    p = b.op("pad", [x], (1, 8, 10, 3), Q, value=value, paddings=((0, 0), (1, 1), (1, 1), (0, 0)))
    y = b.op(kind, [p], (1, 3, 4, 3), Q, **POOL | {"size": (3, 3)})
    assert kinds(assert_like_litert(b, [x], [y])) == ([kind] if folded else ["pad", kind])


def test_channels_first_global_average() -> None:
    b = GraphBuilder()
    x = b.input((1, 5, 7, 6), Q)
    t = b.op("transpose", [x], (1, 6, 5, 7), Q, perm=(0, 3, 1, 2))
    m = b.op("mean", [t], (1, 6, 5), Q, reduce_axes=(3,), keep_dims=False)
    y = b.op("mean", [m], (1, 6), (0.07, 3), reduce_axes=(2,), keep_dims=False)
    assert kinds(assert_like_litert(b, [x], [y])) == ["mean", "mean"]


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("axes", [(1,), (2,), (2, 3), (1, 2), (1, 3)])
def test_mean_after_a_transpose(keep: bool, axes: tuple[int, ...]) -> None:
    b = GraphBuilder()
    x = b.input((1, 5, 7, 6), Q)
    t = b.op("transpose", [x], (1, 6, 5, 7), Q, perm=(0, 3, 1, 2))
    shape = [1 if i in axes else n for i, n in enumerate((1, 6, 5, 7)) if keep or i not in axes]
    y = b.op("mean", [t], tuple(shape), (0.07, 3), reduce_axes=axes, keep_dims=keep)
    assert_like_litert(b, [x], [y])


@pytest.mark.parametrize("kind", ["relu", "relu6", "relu_n1_to_1"])
@pytest.mark.parametrize("same", [True, False])
def test_activation_fuses_only_where_it_does_not_requantise(kind: str, same: bool) -> None:
    b = GraphBuilder()
    x = b.input((1, 6, 8, 3), Q)
    y = b.op("conv2d", [x, b.const((4, 3, 3, 3)), b.bias(4)], (1, 4, 6, 4), (0.4, 3), **CONV)
    r = b.op(kind, [y], (1, 4, 6, 4), (0.4, 3) if same else (0.2, -128))
    graph = assert_like_litert(b, [x], [r])
    assert kinds(graph) == (["conv2d"] if same else ["conv2d", kind])
    if same:
        assert graph.nodes[0].op.activation is Activation(kind)  # type: ignore[attr-defined]
        assert graph.nodes[0].source == 1


def test_activation_stays_where_its_input_has_other_readers() -> None:
    b = GraphBuilder()
    x = b.input((1, 6, 8, 3), Q)
    y = b.op("conv2d", [x, b.const((4, 3, 3, 3)), b.bias(4)], (1, 4, 6, 4), (0.4, 3), **CONV)
    r = b.op("relu", [y], (1, 4, 6, 4), (0.4, 3))
    s = b.op("add", [r, y], (1, 4, 6, 4), (0.6, 3), activation=NONE)
    assert kinds(assert_like_litert(b, [x], [s])) == ["conv2d", "relu", "add"]


def float_edges() -> tuple[GraphBuilder, str, str]:
    b = GraphBuilder()
    x = b.input((1, 6, 8, 3), *FLOAT)
    q = b.op("quantize", [x], (1, 6, 8, 3), Q)
    y = b.op("conv2d", [q, b.const((4, 3, 3, 3)), b.bias(4)], (1, 4, 6, 4), (0.4, 3), **CONV)
    return b, x, b.op("dequantize", [y], (1, 4, 6, 4), *FLOAT)


@pytest.mark.parametrize("io,expected", [("int8", ["conv2d"]), ("float", ["quantize", "conv2d", "dequantize"])])
def test_float_edges(io: str, expected: list[str]) -> None:
    b, x, y = float_edges()
    graph = assert_like_litert(b, [x], [y], io)
    assert kinds(graph) == expected
    assert len(graph.adapters) == (2 if io == "int8" else 0)


def test_unknown_io() -> None:
    b, x, y = float_edges()
    with pytest.raises(UsageError, match="choose int8 or float"):
        optimise(b.graph([x], [y]), "int7")


def test_float_edge_stays_where_one_tensor_would_be_two_outputs() -> None:
    b, x, y = float_edges()
    source = b.nodes[-1].inputs[0]
    graph = assert_like_litert(b, [x], [y, source])
    assert kinds(graph) == ["conv2d", "dequantize"]


@pytest.mark.parametrize("kind", ["softmax", "log_softmax"])
def test_float_tail_is_left_to_the_caller(kind: str) -> None:
    b, x, y = float_edges()
    fields = {"beta": 1.0} if kind == "softmax" else {}
    s = b.op(kind, [y], (1, 4, 6, 4), *FLOAT, **fields)
    for io in ("int8", "float"):
        graph = assert_like_litert(b, [x], [s], io)
        assert kind not in kinds(graph)


def test_noops_disappear_also_at_outputs() -> None:
    b = GraphBuilder()
    x = b.input((1, 6, 8, 3), Q)
    y = b.op("conv2d", [x, b.const((4, 3, 3, 3)), b.bias(4)], (1, 4, 6, 4), (0.4, 3), **CONV)
    r = b.op("reshape", [y], (1, 24, 4), (0.4, 3), shape=(1, 24, 4))
    s = b.op("reshape", [r], (1, 4, 6, 4), (0.4, 3), shape=(1, 4, 6, 4))
    t = b.op("transpose", [s], (1, 4, 6, 4), (0.4, 3), perm=(0, 1, 2, 3))
    u = b.op("slice", [t], (1, 4, 6, 4), (0.4, 3), begin=(0, 0, 0, 0), size=(1, 4, 6, 4))
    assert kinds(assert_like_litert(b, [x], [u])) == ["conv2d"]


def test_a_network_of_nothing_keeps_its_operator() -> None:
    b = GraphBuilder()
    x = b.input((1, 6), Q)
    assert kinds(assert_like_litert(b, [x], [b.op("reshape", [x], (1, 6), Q, shape=(1, 6))])) == ["reshape"]


def test_constants_fold() -> None:
    b = GraphBuilder()
    x = b.input((1, 6, 4), Q)
    c = b.const((4, 6), Q)
    t = b.op("transpose", [c], (6, 4), Q, perm=(1, 0))
    r = b.op("reshape", [t], (1, 6, 4), Q, shape=(1, 6, 4))
    y = b.op("add", [x, r], (1, 6, 4), (0.2, 0), activation=NONE)
    assert kinds(assert_like_litert(b, [x], [y])) == ["add"]


def test_unread_operators_disappear() -> None:
    b = GraphBuilder()
    x = b.input((1, 6, 4), Q)
    b.op("relu", [x], (1, 6, 4), Q)
    assert kinds(assert_like_litert(b, [x], [b.op("logistic", [x], (1, 6, 4), (1 / 256, -128))])) == ["logistic"]


def test_passes_are_repeatable_and_idempotent() -> None:
    b, x, y = float_edges()
    data = write_tflite(b.graph([x], [y]))
    first, second = imported(data), optimise(imported(data))
    assert [(n.name, n.op, n.inputs) for n in first.nodes] == [(n.name, n.op, n.inputs) for n in second.nodes]
    assert first.adapters == second.adapters
    assert len({name for name, _ in PASSES}) == len(PASSES)


def test_verify_names_the_pass() -> None:
    b, x, y = float_edges()
    graph = imported(write_tflite(b.graph([x], [y])))
    node = graph.nodes[0]
    broken = [
        replace(graph, nodes=(replace(node, inputs=("nowhere", *node.inputs[1:])),)),
        replace(graph, nodes=(node, node)),
        replace(graph, outputs=("nowhere",)),
        replace(graph, nodes=(replace(node, op=replace(node.op, padding=(1, 1, 1, 1))),)),  # type: ignore[type-var]
        replace(graph, adapters={"nowhere": ()}),
    ]
    for bad in broken:
        with pytest.raises(TinyforgeError, match="after pass tried"):
            verify(bad, "tried")


def test_adapters_check_what_they_are_given() -> None:
    rebase = (Adapter("rebase", (2,), "uint8"),)
    value = np.array([0, 255], np.uint8)
    assert to_model(rebase, value).tolist() == [-128, 127]
    np.testing.assert_array_equal(from_model(rebase, to_model(rebase, value)), value)
    with pytest.raises(UsageError, match=r"takes uint8\[2\], the given array is float64\[2\]"):
        to_model(rebase, np.zeros(2))


def test_quantise_rounds_halves_away_from_zero_and_saturates() -> None:
    given = np.array([0.25, -0.25, 0.75, 1e30, -1e30, np.inf, -np.inf], np.float32)
    assert quantize(0.5, 1, given).tolist() == [2, 0, 3, 127, -128, 127, -128]
    assert dequantize(0.5, 1, np.array([1, -128], np.int8)).tolist() == [0.0, -64.5]


@pytest.mark.parametrize("io,expected", [("int8", ["relu"]), ("float", ["quantize", "relu", "quantize"])])
def test_int16_edges(io: str, expected: list[str]) -> None:
    b = GraphBuilder()
    x = b.input((1, 6, 8, 3), (0.001, 0), "int16")
    y = b.op("relu", [b.op("quantize", [x], (1, 6, 8, 3), Q)], (1, 6, 8, 3), (0.2, 3))
    z = b.op("quantize", [y], (1, 6, 8, 3), (0.003, 0), "int16")
    graph = assert_like_litert(b, [x], [z], io)
    assert kinds(graph) == expected


def one_dimensional(b: GraphBuilder) -> tuple[str, str]:
    """Causal padding, convolution, activation, residual, in three dimensions but for the convolutions."""
    x = b.input((1, 20, 6), Q)
    first = b.op("pad", [x], (1, 23, 6), Q, value=None, paddings=((0, 0), (3, 0), (0, 0)))
    wide = b.op("expand_dims", [first], (1, 1, 23, 6), Q, axis=1)
    y = b.op("conv2d", [wide, b.const((6, 1, 4, 6)), b.bias(6)], (1, 1, 20, 6), Q, **CONV)
    flat = b.op("reshape", [y], (1, 20, 6), Q, shape=(1, 20, 6))
    act = b.op("relu", [flat], (1, 20, 6), (0.1, -128))
    scaled = b.op("mul", [act, b.const((6,), (0.01, 0))], (1, 20, 6), (0.1, 0), activation=NONE)
    second = b.op("pad", [scaled], (1, 22, 6), (0.1, 0), value=None, paddings=((0, 0), (1, 1), (0, 0)))
    wide = b.op("expand_dims", [second], (1, 1, 22, 6), (0.1, 0), axis=-3)
    z = b.op("conv2d", [wide, b.const((6, 1, 3, 6)), b.bias(6)], (1, 1, 20, 6), (0.1, 0), **CONV)
    back = b.op("squeeze", [z], (1, 20, 6), (0.1, 0), dims=(1,))
    total = b.op("add", [back, scaled], (1, 20, 6), (0.2, 0), activation=NONE)
    return x, b.op("logistic", [total], (1, 20, 6), (1 / 256, -128))


def test_one_dimensional_networks_have_no_pads_and_reshapes_inside() -> None:
    b = GraphBuilder()
    x, y = one_dimensional(b)
    graph = assert_like_litert(b, [x], [y])
    assert kinds(graph) == ["reshape", "conv2d", "relu", "mul", "conv2d", "add", "logistic", "reshape"]
    assert graph.tensors[graph.outputs[0]].shape == (1, 20, 6)


def test_elementwise_operators_of_other_shapes_stay() -> None:
    """A reshape that mixes dimensions, and a constant that is not one value per channel."""
    b = GraphBuilder()
    x = b.input((1, 4, 6, 2), Q)
    r = b.op("relu", [b.op("reshape", [x], (1, 8, 6), Q, shape=(1, 8, 6))], (1, 8, 6), (0.2, 0))
    narrow = b.op("reshape", [b.input((1, 1, 8, 6), Q)], (1, 8, 6), Q, shape=(1, 8, 6))
    y = b.op("add", [narrow, b.const((1, 8, 6), Q)], (1, 8, 6), (0.2, 0), activation=NONE)
    inputs = [n for n, t in b.tensors.items() if n.startswith("x")]
    graph = assert_like_litert(b, inputs, [r, y])
    assert kinds(graph) == ["reshape", "relu", "reshape", "add"]
