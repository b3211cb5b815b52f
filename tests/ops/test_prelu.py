"""prelu with every usual shape of alpha."""

from __future__ import annotations

import numpy as np
import pytest

from tests.ops.conformance import Case, OpConformance, activation, constant, make_case, random_quant, random_values
from tinyforge.errors import UnsupportedModel
from tinyforge.ir.types import DType, TensorType
from tinyforge.ops.prelu import Prelu

SHAPES = [
    ((1, 5, 6, 3), (1, 1, 3)),
    ((1, 5, 6, 3), (1, 1, 1, 3)),
    ((1, 5, 6, 3), (5, 6, 3)),
    ((1, 5, 6, 3), (1,)),
    ((4, 7), (7,)),
    ((1, 5, 6, 3), (1, 6, 1)),
]


class TestPrelu(OpConformance):
    def cases(self, rng: np.random.Generator) -> list[Case]:
        cases = []
        for shape, slopes in SHAPES * 3:
            quant = random_quant(rng, 0.001, 0.02)
            x = activation("x", shape, random_quant(rng))
            alpha = constant("alpha", random_values(rng, TensorType(slopes, DType.INT8, quant), 0), quant)
            cases.append(make_case(rng, Prelu(), [x, alpha], [activation("y", shape, random_quant(rng))]))
        return cases


def test_refusals() -> None:
    x, other = activation("x", (1, 4, 4, 3), None), activation("alpha", (2, 4, 4, 3), None)
    with pytest.raises(UnsupportedModel, match="larger"):
        Prelu().infer([x, other])
    with pytest.raises(UnsupportedModel, match="constant"):
        Prelu().check([x, x], [x])
