"""softmax and log_softmax: bit-exact over scales, depths and value patterns."""

from __future__ import annotations

import numpy as np
import pytest

from tests.ops.conformance import Case, OpConformance, activation, make_case, random_quant, random_shape
from tinyforge.errors import UnsupportedModel
from tinyforge.ir.types import DType, Quant
from tinyforge.ops.log_softmax import LogSoftmax
from tinyforge.ops.softmax import Softmax

SOFTMAX_OUT = Quant((1 / 256,), (-128,))
LOG_OUT = Quant((1 / 16,), (127,))


class TestSoftmax(OpConformance):
    def cases(self, rng: np.random.Generator) -> list[Case]:
        cases = []
        for i in range(48):
            shape = random_shape(rng, int(rng.integers(1, 5)), largest=12)
            if i % 6 == 0:
                shape = (2, int(rng.integers(1, 400)))
            x = activation("x", shape, random_quant(rng, 0.001, 1.0))
            op = Softmax(float(np.float32(rng.choice([1.0, 1.0, 0.5, 3.7]))))
            cases.append(make_case(rng, op, [x], [activation("y", shape, SOFTMAX_OUT)]))
        return cases


class TestSoftmaxInt16(OpConformance):
    def cases(self, rng: np.random.Generator) -> list[Case]:
        cases = []
        for _ in range(6):
            x = activation("x", (3, 11), random_quant(rng, 0.001, 1.0))
            y = activation("y", (3, 11), Quant((1 / 65536,), (-32768,)), DType.INT16)
            cases.append(make_case(rng, Softmax(1.0), [x], [y]))
        return cases


class TestLogSoftmax(OpConformance):
    def cases(self, rng: np.random.Generator) -> list[Case]:
        cases = []
        for i in range(48):
            shape = random_shape(rng, int(rng.integers(1, 5)), largest=12)
            if i % 6 == 0:
                shape = (2, int(rng.integers(1, 400)))
            x = activation("x", shape, random_quant(rng, 0.001, 1.0))
            cases.append(make_case(rng, LogSoftmax(), [x], [activation("y", shape, LOG_OUT)]))
        return cases


def test_refusals() -> None:
    x = activation("x", (2, 5), Quant((0.1,), (0,)))
    with pytest.raises(UnsupportedModel, match="scale"):
        Softmax(1.0).check([x], [activation("y", (2, 5), Quant((0.1,), (0,)))])
    with pytest.raises(UnsupportedModel, match="4096"):
        Softmax(1.0).check([activation("x", (2, 5000), Quant((0.1,), (0,)))], [activation("y", (2, 5000), SOFTMAX_OUT)])
    with pytest.raises(UnsupportedModel, match="1/16"):
        LogSoftmax().check([x], [activation("y", (2, 5), SOFTMAX_OUT)])
