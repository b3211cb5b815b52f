"""mean and sum over any axes."""

from __future__ import annotations

import numpy as np
import pytest

from tests.ops.conformance import (
    Case,
    OpConformance,
    activation,
    make_case,
    random_quant,
    random_shape,
    single_op,
    unary_case,
)
from tests.tflite_writer import litert_outputs, write_tflite
from tinyforge.errors import UnsupportedModel
from tinyforge.ir.fixed_point import requantize
from tinyforge.ir.types import DType, Quant
from tinyforge.ops.mean import Mean
from tinyforge.ops.reduction import sum_scaling
from tinyforge.ops.sum import Sum

SUM_OF_LITERT = "BUILTIN_REF of ai-edge-litert 2.3 reads an int8 SUM as uint8; see test_sum_with_that_reading"


def reduction_case(
    rng: np.random.Generator, op: Mean | Sum, quant: Quant, out_quant: Quant, shape: tuple[int, ...]
) -> Case:
    return unary_case(rng, op, quant, out_quant, shape, no_litert=SUM_OF_LITERT if isinstance(op, Sum) else "")


def random_axes(rng: np.random.Generator, rank: int) -> tuple[int, ...]:
    count = int(rng.integers(1, rank + 1))
    return tuple(sorted(int(a) for a in rng.choice(rank, count, replace=False)))


class TestReduction(OpConformance):
    def cases(self, rng: np.random.Generator) -> list[Case]:
        cases = []
        for i in range(40):
            rank = int(rng.choice([1, 2, 3, 4, 4]))
            shape = random_shape(rng, rank) if i % 5 else tuple(int(n) for n in rng.integers(1, 6, rank))
            make = Mean if rng.random() < 0.6 else Sum
            op = make(random_axes(rng, rank), bool(rng.random() < 0.5))
            cases.append(reduction_case(rng, op, random_quant(rng), random_quant(rng), shape))
        return cases


class TestGlobalPooling(OpConformance):
    """Rows and columns of feature maps: the accumulating form; some are too wide for 16-bit lanes."""

    def cases(self, rng: np.random.Generator) -> list[Case]:
        cases = []
        shapes = [(1, 7, 5, 13), (1, 1, 1, 3), (1, 1, 600, 5), (1, 3, 300, 8), (1, 16, 16, 4), (1, 600, 1, 2)]
        for shape in shapes * 2:
            make = Mean if rng.random() < 0.7 else Sum
            op = make((1, 2), bool(rng.random() < 0.5))
            high = 0.1 if make is Mean else 5.0
            cases.append(
                reduction_case(rng, op, random_quant(rng, 0.01, 0.1), random_quant(rng, high / 10, high), shape)
            )
        return cases


class TestRowSums(OpConformance):
    """Columns of each row, the first half of a global mean in two steps, and the second half: rows of one column."""

    def cases(self, rng: np.random.Generator) -> list[Case]:
        cases = []
        shapes = [(1, 7, 5, 13), (1, 2, 300, 8), (1, 16, 16, 4), (1, 9, 3, 1), (1, 5, 1, 3), (1, 1, 6, 2)]
        for shape in shapes * 2:
            make = Mean if rng.random() < 0.7 else Sum
            op = make((2,) if shape[2] > 1 else (1,), True)
            high = 0.1 if make is Mean else 5.0
            cases.append(
                reduction_case(rng, op, random_quant(rng, 0.01, 0.1), random_quant(rng, high / 10, high), shape)
            )
        return cases


def test_sum_with_that_reading() -> None:
    """The same arithmetic on the bytes as uint8 gives what LiteRT gives: only its element type is wrong."""
    rng = np.random.default_rng(8)
    for _ in range(60):
        shape = random_shape(rng, 4, 6)
        x = activation("x", shape, random_quant(rng))
        op = Sum(random_axes(rng, 4), True)
        y = activation("y", op.infer([x])[0], random_quant(rng, 0.1, 2.0))
        values = np.asarray(rng.integers(-128, 128, shape), np.int8)
        want = litert_outputs(write_tflite(single_op(op, [x], [y])), [values])[0]
        total = values.view(np.uint8).astype(np.int64).sum(axis=op.reduce_axes, keepdims=True)
        total -= x.type.zero_point * (x.type.elements // y.type.elements)
        got = requantize(total, *sum_scaling(x, y), y.type.zero_point, 0, 255).astype(np.uint8).view(np.int8)
        assert np.array_equal(got, want), (x.type, y.type)


def test_it_accumulates_only_over_rows_and_columns() -> None:
    x = activation("x", (1, 4, 4, 3), None)
    assert Mean((1, 2), True).accumulates([x], [])
    assert not Mean((1, 2, 3), True).accumulates([x], [])
    assert not Mean((1,), True).accumulates([x], [])
    assert Mean((1,), True).accumulates([activation("x", (1, 4, 1, 3), None)], [])
    assert not Mean((1, 2), True).accumulates([activation("x", (2, 4, 4, 3), None)], [])


def test_refusals() -> None:
    x = activation("x", (1, 4, 4, 3), None, DType.INT16)
    with pytest.raises(UnsupportedModel, match="int16"):
        Mean((1,), True).check([x], [x])
    with pytest.raises(UnsupportedModel, match="rank 4"):
        Mean((4,), True).infer([x])
    rng = np.random.default_rng(0)
    assert make_case(rng, Mean((1,), True), [x], [x]).graph.inputs == ("x",)
