"""arg_max and arg_min along any axis."""

from __future__ import annotations

import numpy as np
import pytest

from tests.ops.conformance import Case, OpConformance, activation, make_case, random_quant, random_shape
from tinyforge.errors import UnsupportedModel
from tinyforge.ir.types import DType
from tinyforge.ops.arg_max import ArgMax
from tinyforge.ops.arg_min import ArgMin


class TestArgMax(OpConformance):
    def cases(self, rng: np.random.Generator) -> list[Case]:
        cases = []
        for i in range(30):
            rank = int(rng.integers(1, 5))
            x = activation("x", random_shape(rng, rank), random_quant(rng))
            op = (ArgMin if i % 3 == 0 else ArgMax)(int(rng.integers(0, rank)))
            cases.append(make_case(rng, op, [x], [activation("y", op.infer([x])[0], None, DType.INT32)]))
        return cases


def test_refusals() -> None:
    x = activation("x", (3, 4), None)
    with pytest.raises(UnsupportedModel, match="rank 2"):
        ArgMax(2).infer([x])
    with pytest.raises(UnsupportedModel, match="int32"):
        ArgMax(1).check([x], [activation("y", (3,), None)])
