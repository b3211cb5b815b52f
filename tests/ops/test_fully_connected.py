"""FULLY_CONNECTED against LiteRT, windows do not apply, C on host."""

from __future__ import annotations

import numpy as np

from tests.ops.conformance import Case, OpConformance, activation, constant, make_case, random_quant
from tests.ops.convolutions import fitting_output, random_bias, random_weights
from tinyforge.ir.types import Quant
from tinyforge.ops.base import Activation
from tinyforge.ops.fully_connected import FullyConnected


def random_case(rng: np.random.Generator) -> Case:
    batch, n_in, n_out = int(rng.choice([1, 1, 1, 2, 5])), int(rng.integers(1, 70)), int(rng.integers(1, 40))
    keep = bool(rng.integers(2))
    x = activation("x", (batch, 2, n_in) if keep else (batch, n_in), random_quant(rng))
    w = random_weights(rng, (n_out, n_in), 0)
    assert x.type.quant is not None
    ins = [x, w] if rng.integers(3) == 0 else [x, w, random_bias(rng, x.type.quant, w, n_out, 40 * n_in * 50)]
    op = FullyConnected(list(Activation)[int(rng.integers(4))], keep)
    return make_case(rng, op, ins, [activation("y", op.infer(ins)[0], fitting_output(rng, x.type.quant, w, n_in))])


def power_of_two_case(rng: np.random.Generator, shift: int, zero: int) -> Case:
    """Scales whose ratio is a power of two: every other sum is a tie."""
    x, w = activation("x", (4, 33), Quant((1.0,), (3,))), rng.integers(-127, 128, (9, 33)).astype(np.int8)
    out = activation("y", (4, 9), Quant((float(2**shift),), (zero,)))
    return make_case(rng, FullyConnected(Activation.NONE), [x, constant("w", w, Quant((1.0,), (0,)))], [out])


def weight_zero_point_case(rng: np.random.Generator, zero: int) -> Case:
    x, w = activation("x", (2, 21), random_quant(rng)), rng.integers(-128, 128, (5, 21)).astype(np.int8)
    weights = constant("w", w, Quant((0.01,), (zero,)))
    assert x.type.quant is not None
    out = activation("y", (2, 5), fitting_output(rng, x.type.quant, weights, 21))
    return make_case(rng, FullyConnected(Activation.RELU), [x, weights], [out])


def multiplier_above_one_case(rng: np.random.Generator) -> Case:
    x, w = activation("x", (3, 2), Quant((1.0,), (0,))), rng.integers(-3, 4, (6, 2)).astype(np.int8)
    out = activation("y", (3, 6), Quant((0.3,), (0,)))
    return make_case(rng, FullyConnected(Activation.NONE), [x, constant("w", w, Quant((1.0,), (0,)))], [out])


def many_channels_case(rng: np.random.Generator, act: Activation, out_quant: Quant) -> Case:
    """Thresholds so many and so far from zero that a line of twelve fractional bits misses some."""
    x, w = activation("x", (1, 192), Quant((0.02,), (-3,))), rng.integers(-127, 128, (94, 192)).astype(np.int8)
    scales = tuple(float(np.float32(v * out_quant.scale[0])) for v in rng.uniform(0.0125, 0.0225, 94))
    weights = constant("w", w, Quant(scales, (0,) * 94, 0))
    return make_case(rng, FullyConnected(act), [x, weights], [activation("y", (1, 94), out_quant)])


def many_channels_cases() -> list[Case]:
    rng = np.random.default_rng(1)
    return [
        many_channels_case(rng, Activation.NONE, Quant((0.4,), (4,))),
        many_channels_case(rng, Activation.RELU_N1_TO_1, Quant((0.009,), (-4,))),
    ]


class TestFullyConnected(OpConformance):
    def cases(self, rng: np.random.Generator) -> list[Case]:
        cases = [random_case(rng) for _ in range(30)]
        cases += [power_of_two_case(rng, shift, zero) for shift in (1, 4, 8, 11) for zero in (-128, 0, 127)]
        cases += [weight_zero_point_case(rng, zero) for zero in (-128, -3, 90, 127)]
        cases += many_channels_cases()
        return [*cases, *(multiplier_above_one_case(rng) for _ in range(3))]


def test_a_finer_line_where_twelve_bits_miss_a_threshold() -> None:
    for case in many_channels_cases():
        node = case.graph.nodes[0]
        call = node.op.lower(case.graph.ins(node), case.graph.outs(node))  # type: ignore[attr-defined]
        assert call.kernel == "tf_fully_connected_packed_s8"
        assert dict(call.literals)["line"] == 14
