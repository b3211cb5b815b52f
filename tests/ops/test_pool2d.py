"""AVERAGE_POOL_2D and MAX_POOL_2D against LiteRT, windows, C; the reciprocal's proof against every sum."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.ops.conformance import Case, OpConformance, activation, random_quant, unary_case
from tests.tflite_writer import same_padding
from tinyforge.errors import UnsupportedModel
from tinyforge.ir.graph import Graph
from tinyforge.ops.average_pool2d import AveragePool2D, reciprocal, reciprocals, rounded_mean
from tinyforge.ops.base import Activation
from tinyforge.ops.max_pool2d import MaxPool2D
from tinyforge.ops.pool2d import Pool2D

# height, width, channels, window, stride, SAME: global pools of real models, then corners
SHAPES = [
    ((25, 5, 16), (25, 5), (25, 5), False),
    ((3, 3, 7), (3, 3), (3, 3), False),
    ((3, 3, 64), (3, 3), (1, 1), False),
    ((17, 16, 5), (17, 16), (1, 1), False),
    ((40, 30, 3), (40, 30), (1, 1), False),
    ((8, 8, 4), (2, 2), (2, 2), False),
    ((9, 9, 6), (2, 2), (2, 2), True),
    ((5, 7, 4), (5, 5), (1, 1), True),
    ((3, 2, 12), (7, 6), (1, 1), True),
    ((30, 30, 2), (17, 29), (3, 5), True),
]


def pool_case(rng: np.random.Generator, cls: type[Pool2D], i: int) -> Case:
    activations = list(Activation)
    if i < len(SHAPES):
        (h, w, c), size, stride, same = SHAPES[i]
    else:
        h, w, c = (int(n) for n in rng.integers(1, 14, 3))
        stride = (int(rng.integers(1, 5)), int(rng.integers(1, 5)))
        same = bool(rng.integers(2))
        size = tuple(int(rng.integers(1, 8 if same else n + 1)) for n in (h, w))
    padding = (0, 0, 0, 0)
    if same:
        padding = (*same_padding(h, size[0], stride[0], 1), *same_padding(w, size[1], stride[1], 1))
    quant = random_quant(rng)
    op = cls(size, stride, padding, activations[i % len(activations)])
    return unary_case(rng, op, quant, quant, (1, h, w, c))


class TestAveragePool2D(OpConformance):
    def cases(self, rng: np.random.Generator) -> list[Case]:
        return [pool_case(rng, AveragePool2D, i) for i in range(60)]


class TestAveragePool2DFromUint8(OpConformance):
    """LiteRT rounds like this for uint8 only; the importer's tests compare whole uint8 files."""

    def cases(self, rng: np.random.Generator) -> list[Case]:
        cases = [pool_case(rng, AveragePool2D, i) for i in range(30)]
        return [replace(c, graph=_half_up(c.graph), no_litert="the flag stands for uint8 files") for c in cases]


def _half_up(graph: Graph) -> Graph:
    node = graph.nodes[0]
    return replace(graph, nodes=(replace(node, op=replace(node.op, round_half_up=True)),))


class TestMaxPool2D(OpConformance):
    def cases(self, rng: np.random.Generator) -> list[Case]:
        return [pool_case(rng, MaxPool2D, i) for i in range(60)]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 9, 125, 255, 256, 361, 1000, 9216])
def test_reciprocal_divides_exactly(count: int) -> None:
    """The C formula (tf_mean_s8), on every sum there can be."""
    shift, (multiplier,) = reciprocals([count])
    total = np.arange(-128 * count, 127 * count + 1, dtype=np.int64)
    tie = ((count & 1) == 0) & (total < 0)
    n = (total + 128 * count + (count >> 1) - tie).astype(np.uint64)
    assert n.max() * float(multiplier) < 2.0 ** (64 if shift > 31 else 32)
    got = (n * np.uint64(multiplier) >> np.uint64(shift)).astype(np.int64) - 128
    np.testing.assert_array_equal(got, rounded_mean(total, np.full_like(total, count)))


def test_reciprocals_of_many_counts_share_a_shift() -> None:
    shift, found = reciprocals([1, 6, 35, 250])
    assert shift == 24
    assert len(found) == 4
    shift, found = reciprocals(list(range(64, 1024)))
    assert shift > 31
    assert max(found) < 1 << 32
    assert reciprocal(1000, 24) is None


@pytest.mark.parametrize("cls", [AveragePool2D, MaxPool2D])
def test_refusals(cls: type[Pool2D]) -> None:
    rng = np.random.default_rng(1)
    quant, other = random_quant(rng), random_quant(rng)
    x, y = activation("x", (1, 4, 4, 2), quant), activation("y", (1, 2, 2, 2), quant)
    with pytest.raises(UnsupportedModel, match="share scale"):
        cls((2, 2), (2, 2), (0, 0, 0, 0), Activation.NONE).check([x], [activation("y", (1, 2, 2, 2), other)])
    with pytest.raises(UnsupportedModel, match="wholly in the padding"):
        cls((2, 2), (3, 3), (2, 0, 0, 0), Activation.NONE).check([x], [y])
    with pytest.raises(UnsupportedModel, match="does not fit"):
        cls((5, 2), (1, 1), (0, 0, 0, 0), Activation.NONE).infer([x])
    with pytest.raises(UnsupportedModel, match="batch"):
        cls((2, 2), (2, 2), (0, 0, 0, 0), Activation.NONE).check([activation("x", (2, 4, 4, 2), quant)], [y])
