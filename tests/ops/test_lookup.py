"""Operators of one int8 input: all 256 inputs over many quantisations."""

from __future__ import annotations

import numpy as np
import pytest

from tests.ops.conformance import Case, OpConformance, activation, random_quant, random_shape, single_op, unary_case
from tests.tflite_writer import litert_outputs, write_tflite
from tinyforge.errors import UnsupportedModel
from tinyforge.ir.types import Quant
from tinyforge.ops.gelu import Gelu
from tinyforge.ops.hard_swish import HardSwish
from tinyforge.ops.leaky_relu import LeakyRelu
from tinyforge.ops.logistic import Logistic
from tinyforge.ops.lookup import ALL_INT8, Lookup
from tinyforge.ops.relu import Relu
from tinyforge.ops.relu6 import Relu6
from tinyforge.ops.relu_n1_to_1 import ReluN1To1
from tinyforge.ops.tanh import Tanh

KINDS = ["relu", "relu6", "relu_n1_to_1", "leaky_relu", "logistic", "tanh", "hard_swish", "gelu"]


def make(kind: str, rng: np.random.Generator) -> Lookup:
    plain: dict[str, Lookup] = {
        "relu": Relu(),
        "relu6": Relu6(),
        "relu_n1_to_1": ReluN1To1(),
        "logistic": Logistic(),
        "tanh": Tanh(),
        "hard_swish": HardSwish(),
    }
    if kind == "leaky_relu":
        return LeakyRelu(float(np.float32(rng.uniform(-0.3, 1.2))))
    if kind == "gelu":
        return Gelu(bool(rng.integers(2)))
    return plain[kind]


def out_quant(kind: str, rng: np.random.Generator) -> Quant:
    if kind == "logistic":
        return Quant((1 / 256,), (-128,))
    if kind == "tanh" and rng.random() < 0.5:
        return Quant((1 / 128,), (0,))
    return random_quant(rng, 0.02 if kind == "hard_swish" else 0.002)


class TestLookup(OpConformance):
    def cases(self, rng: np.random.Generator) -> list[Case]:
        cases = []
        for kind in KINDS * 4:
            shape = random_shape(rng, int(rng.choice([1, 2, 3, 4, 4, 4])))
            quant = random_quant(rng, high=0.5 if kind != "hard_swish" else 0.1)
            cases.append(unary_case(rng, make(kind, rng), quant, out_quant(kind, rng), shape))
        return cases


@pytest.mark.parametrize("kind", KINDS)
def test_all_inputs_over_many_scales(kind: str) -> None:
    rng = np.random.default_rng(5)
    for _ in range(300):
        op = make(kind, rng)
        quant = random_quant(rng, 0.0005, 0.5 if kind != "hard_swish" else 0.1)
        x = activation("x", (256,), quant)
        y = activation("y", (256,), out_quant(kind, rng))
        want = litert_outputs(write_tflite(single_op(op, [x], [y])), [ALL_INT8.astype(np.int8)])[0]
        got = op.table(x, y)
        assert np.array_equal(got, want), (op, x.type, y.type, np.flatnonzero(got != want))


def test_refusals() -> None:
    x = activation("x", (4,), Quant((10.0,), (0,)))
    with pytest.raises(UnsupportedModel, match="1/256"):
        Logistic().check([x], [activation("y", (4,), Quant((0.1,), (0,)))])
    with pytest.raises(UnsupportedModel, match="too small"):
        HardSwish().check([x], [activation("y", (4,), Quant((0.001,), (0,)))])
