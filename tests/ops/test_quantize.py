"""quantize and dequantize: exact on ties, on the neighbours of every threshold, on extremes."""

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
from tinyforge.errors import UnsupportedModel
from tinyforge.ir.types import DType, Quant
from tinyforge.ops.dequantize import Dequantize
from tinyforge.ops.quantize import Quantize, from_ordered, ordered, quantize_float, thresholds


def hard_floats(rng: np.random.Generator, quant: Quant, count: int) -> np.ndarray:
    """Ties and their neighbours, random values, zeros, huge values."""
    scale = np.float32(quant.scale0)
    ties = np.asarray((rng.integers(-260, 260, count) + 0.5) * scale, np.float32)
    pool = np.concatenate(
        [
            ties,
            np.nextafter(ties, np.float32(np.inf)),
            np.nextafter(ties, np.float32(-np.inf)),
            np.asarray(rng.normal(0, 60 * float(scale), count), np.float32),
            np.array([0.0, -0.0, 1e6, -1e6, 1e-40, -1e-40], np.float32) * scale,
        ]
    )
    return np.asarray(rng.choice(pool, count), np.float32)


class TestQuantizeFloat(OpConformance):
    def cases(self, rng: np.random.Generator) -> list[Case]:
        cases = []
        for i in range(24):
            shape = random_shape(rng, int(rng.integers(1, 5))) if i % 2 else (1, 20, 20, 3)
            x = activation("x", shape, None, DType.FLOAT32)
            quant = random_quant(rng)
            graph = single_op(Quantize(), [x], [activation("y", shape, quant)])
            values = hard_floats(rng, quant, int(np.prod(shape))).reshape(shape)
            cases.append(Case(graph, (values,)))
        return cases


class TestRequantize(OpConformance):
    def cases(self, rng: np.random.Generator) -> list[Case]:
        cases = []
        for _ in range(20):
            shape = random_shape(rng, int(rng.choice([2, 4])))
            cases.append(unary_case(rng, Quantize(), random_quant(rng), random_quant(rng), shape))
        for _ in range(8):
            x = activation("x", (1, 5, 5, 7), random_quant(rng, 1e-4, 0.01, DType.INT16), DType.INT16)
            cases.append(make_case(rng, Quantize(), [x], [activation("y", x.shape, random_quant(rng))]))
        for _ in range(8):
            x, quant = activation("x", (1, 5, 3, 7), random_quant(rng)), random_quant(rng, 1e-4, 0.01, DType.INT16)
            cases.append(make_case(rng, Quantize(), [x], [activation("y", x.shape, quant, DType.INT16)]))
        return cases


class TestDequantize(OpConformance):
    def cases(self, rng: np.random.Generator) -> list[Case]:
        cases = []
        for dtype in [DType.INT8] * 12 + [DType.INT16] * 6 + [DType.UINT8] * 4:
            shape = random_shape(rng, int(rng.integers(1, 5)), largest=11)
            quant = random_quant(rng, 1e-6, 1e4, dtype)
            x = activation("x", shape, quant, dtype)
            cases.append(make_case(rng, Dequantize(), [x], [activation("y", shape, None, DType.FLOAT32)]))
        return cases


def test_thresholds_are_the_smallest_floats() -> None:
    rng = np.random.default_rng(2)
    for _ in range(20):
        quant = random_quant(rng, 1e-6, 1e3)
        steps = thresholds(quant.scale0, quant.zero_point0)
        goals = np.arange(-127, 128)
        at = quantize_float(from_ordered(steps), quant.scale0, quant.zero_point0, DType.INT8)
        below = quantize_float(from_ordered(steps - 1), quant.scale0, quant.zero_point0, DType.INT8)
        assert np.all(at >= goals)
        assert np.all(below < goals)


def test_keys_are_in_the_order_of_the_floats() -> None:
    values = np.array([-np.inf, -3.5, -1e-40, -0.0, 0.0, 1e-40, 2.0, np.inf], np.float32)
    keys = ordered(values)
    assert np.all(np.diff(keys) > 0)
    assert np.array_equal(from_ordered(keys), values)


def test_refusals() -> None:
    x = activation("x", (3,), None, DType.FLOAT32)
    with pytest.raises(UnsupportedModel, match="int16"):
        Quantize().check([x], [activation("y", (3,), Quant((0.1,), (0,)), DType.INT16)])
    with pytest.raises(UnsupportedModel, match="only int8, uint8 or"):
        Dequantize().check([x], [x])
