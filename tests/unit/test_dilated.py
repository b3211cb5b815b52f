"""SPACE_TO_BATCH_ND, convolution, BATCH_TO_SPACE_ND as converters write it: one dilated convolution, exactly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.graph_builder import CONV, GraphBuilder, assert_like_litert, kinds
from tests.tflite_writer import to_model
from tests.unit.test_importer import refusal
from tinyforge.ir.graph import Graph

Q = (0.1, 7)
OUT = (0.4, 3)


def phases(
    b: GraphBuilder, x: str, block: tuple[int, int], pads: Any, crops: Any, depthwise: bool, kernel: tuple[int, int]
) -> str:
    """The three operators on x (1, H, W, 4); gives the output's name."""
    _, h, w, c = b.tensors[x].shape
    (p0, p1), (p2, p3) = pads
    size = (h + p0 + p1) // block[0], (w + p2 + p3) // block[1]
    batches = block[0] * block[1]
    dealt = b.op("space_to_batch_nd", [x], (batches, *size, c), Q, block=block, table=pads)
    inner = size[0] - kernel[0] + 1, size[1] - kernel[1] + 1
    if depthwise:
        weights = b.const((1, *kernel, 2 * c))
        y = b.op(
            "depthwise_conv2d", [dealt, weights, b.bias(2 * c)], (batches, *inner, 2 * c), OUT, **CONV, multiplier=2
        )
    else:
        weights = b.const((5, *kernel, c))
        y = b.op("conv2d", [dealt, weights, b.bias(5)], (batches, *inner, 5), OUT, **CONV)
    channels = b.tensors[y].shape[3]
    (c0, c1), (c2, c3) = crops
    shape = (1, inner[0] * block[0] - c0 - c1, inner[1] * block[1] - c2 - c3, channels)
    return b.op("batch_to_space_nd", [y], shape, OUT, block=block, table=crops)


@pytest.mark.parametrize("depthwise", [False, True])
@pytest.mark.parametrize(
    "block,pads,crops",
    [
        ((2, 2), ((2, 3), (2, 2)), ((0, 1), (0, 0))),
        ((3, 2), ((0, 1), (0, 0)), ((0, 1), (0, 0))),
        ((1, 4), ((1, 1), (4, 6)), ((0, 0), (1, 3))),
    ],
)
def test_dilated_convolution(depthwise: bool, block: tuple[int, int], pads: Any, crops: Any) -> None:
    b = GraphBuilder(5)
    x = b.input((1, 17, 14, 4), Q)
    y = phases(b, x, block, pads, crops, depthwise, (3, 2))
    graph = assert_like_litert(b, [x], [y])
    assert kinds(graph) == ["depthwise_conv2d" if depthwise else "conv2d"]
    assert graph.nodes[0].op.dilation == block  # type: ignore[attr-defined]
    assert graph.nodes[0].source == 2


def test_crop_beyond_the_padding_stays_a_slice() -> None:
    b = GraphBuilder(6)
    x = b.input((1, 16, 16, 4), Q)
    y = phases(b, x, (2, 2), ((0, 0), (2, 2)), ((3, 1), (0, 1)), False, (3, 3))
    assert kinds(assert_like_litert(b, [x], [y])) == ["conv2d", "slice"]


def test_in_one_dimension_with_an_activation_inside() -> None:
    b = GraphBuilder(7)
    x = b.input((1, 30, 4), Q)
    dealt = b.op("space_to_batch_nd", [x], (2, 17, 4), Q, block=(2,), table=((2, 2),))
    wide = b.op("expand_dims", [dealt], (2, 1, 17, 4), Q, axis=-3)
    y = b.op("conv2d", [wide, b.const((5, 1, 3, 4)), b.bias(5)], (2, 1, 15, 5), OUT, **CONV)
    r = b.op("relu", [y], (2, 1, 15, 5), (0.2, -128))
    flat = b.op("reshape", [r], (2, 15, 5), (0.2, -128), shape=(-1, 15, 5))
    z = b.op("batch_to_space_nd", [flat], (1, 30, 5), (0.2, -128), block=(2,), table=((0, 0),))
    assert "conv2d" in kinds(assert_like_litert(b, [x], [z]))


def lonely() -> Graph:
    b = GraphBuilder()
    x = b.input((1, 8, 8, 4), Q)
    dealt = b.op("space_to_batch_nd", [x], (4, 4, 4, 4), Q, block=(2, 2), table=((0, 0), (0, 0)))
    return b.graph([x], [dealt])


def pooled() -> Graph:
    b = GraphBuilder()
    x = b.input((1, 8, 8, 4), Q)
    dealt = b.op("space_to_batch_nd", [x], (4, 4, 4, 4), Q, block=(2, 2), table=((0, 0), (0, 0)))
    return b.graph([x], [b.op("mean", [dealt], (4, 4), Q, reduce_axes=(1, 2), keep_dims=False)])


def mismatched() -> Graph:
    b = GraphBuilder()
    x = b.input((1, 8, 8, 4), Q)
    dealt = b.op("space_to_batch_nd", [x], (4, 4, 4, 4), Q, block=(2, 2), table=((0, 0), (0, 0)))
    return b.graph([x], [b.op("batch_to_space_nd", [dealt], (1, 4, 16, 4), Q, block=(1, 4), table=((0, 0), (0, 0)))])


def odd() -> Graph:
    b = GraphBuilder()
    x = b.input((1, 7, 8, 4), Q)
    dealt = b.op("space_to_batch_nd", [x], (4, 4, 4, 4), Q, block=(2, 2), table=((0, 0), (0, 0)))
    return b.graph([x], [dealt])


@pytest.mark.parametrize(
    "make,what",
    [
        (lonely, "inside a dilated convolution"),
        (pooled, "no dilated convolution"),
        (mismatched, "is not that of the SPACE_TO_BATCH_ND"),
        (odd, "no multiple of the block"),
    ],
)
def test_anything_else_is_refused(make: Any, what: str) -> None:
    assert what in refusal(to_model(make()))


def test_shape_of_phases_is_not_known() -> None:
    b = GraphBuilder()
    x = b.input((1, 8, 8, 4), Q)
    dealt = b.op("space_to_batch_nd", [x], (4, 4, 4, 4), Q, block=(2, 2), table=((0, 0), (0, 0)))
    b.op("shape", [dealt], (4,), None, "int32")
    one = b.add("one", (1, 8, 8, 4), "int8", Q, np.ones((1, 8, 8, 4), np.int8))
    y = b.op("add", [x, one], (1, 8, 8, 4), Q, activation=CONV["activation"])
    assert "no dilated convolution" in refusal(to_model(b.graph([x], [y])))
