"""mean and sum over any axes."""

from __future__ import annotations

import numpy as np
import pytest

from tests.ops.conformance import Case, OpConformance, activation, make_case, random_quant, random_shape, unary_case
from tinyforge.errors import UnsupportedModel
from tinyforge.ir.types import DType
from tinyforge.ops.mean import Mean
from tinyforge.ops.sum import Sum


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
            cases.append(unary_case(rng, op, random_quant(rng), random_quant(rng), shape))
        return cases


class TestGlobalPooling(OpConformance):
    """Rows and columns of feature maps: the accumulating form; wide maps overflow 16-bit lanes if the kernel is wrong."""

    def cases(self, rng: np.random.Generator) -> list[Case]:
        cases = []
        shapes = [(1, 7, 5, 13), (1, 1, 1, 3), (1, 1, 600, 5), (1, 3, 300, 8), (1, 16, 16, 4), (1, 600, 1, 2)]
        for shape in shapes * 2:
            make = Mean if rng.random() < 0.7 else Sum
            op = make((1, 2), bool(rng.random() < 0.5))
            high = 0.1 if make is Mean else 5.0
            cases.append(unary_case(rng, op, random_quant(rng, 0.01, 0.1), random_quant(rng, high / 10, high), shape))
        return cases


def test_it_accumulates_only_over_rows_and_columns() -> None:
    x = activation("x", (1, 4, 4, 3), None)
    assert Mean((1, 2), True).accumulates([x], [])
    assert not Mean((1, 2, 3), True).accumulates([x], [])
    assert not Mean((1,), True).accumulates([x], [])
    assert not Mean((1, 2), True).accumulates([activation("x", (2, 4, 4, 3), None)], [])


def test_refusals() -> None:
    x = activation("x", (1, 4, 4, 3), None, DType.INT16)
    with pytest.raises(UnsupportedModel, match="int16"):
        Mean((1,), True).check([x], [x])
    with pytest.raises(UnsupportedModel, match="rank 4"):
        Mean((4,), True).infer([x])
    rng = np.random.default_rng(0)
    assert make_case(rng, Mean((1,), True), [x], [x]).graph.inputs == ("x",)
