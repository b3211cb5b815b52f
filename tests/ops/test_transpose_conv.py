"""TRANSPOSE_CONV against LiteRT, windows, C."""

from __future__ import annotations

import numpy as np

from tests.ops.conformance import Case, OpConformance, activation, make_case, random_quant
from tests.ops.convolutions import choice, fitting_output, random_bias, random_weights, with_asymmetric_weights
from tests.tflite_writer import same_padding
from tinyforge.ops.base import Activation
from tinyforge.ops.transpose_conv import TransposeConv


def transpose_case(rng: np.random.Generator, i: int) -> Case:
    h, w = (int(n) for n in rng.integers(1, 7, 2))
    in_c, out_c = choice(rng, [1, 2, 3, 4, 8, 17]), choice(rng, [1, 2, 3, 5, 8])
    kernel, stride = (int(n) for n in rng.integers(1, 6, 2)), (choice(rng, [1, 2, 2, 3]), choice(rng, [1, 2, 2, 3]))
    kh, kw = kernel
    if rng.integers(2):
        hw = (h * stride[0], w * stride[1])
        padding = (*same_padding(hw[0], kh, stride[0], 1), *same_padding(hw[1], kw, stride[1], 1))
    else:
        hw = ((h - 1) * stride[0] + max(kh, stride[0]), (w - 1) * stride[1] + max(kw, stride[1]))
        padding = (0, 0, 0, 0)
    quant = random_quant(rng)
    x, weights = activation("x", (1, h, w, in_c), quant), random_weights(rng, (out_c, kh, kw, in_c), 0)
    taps = max(1, kh * kw * in_c // (stride[0] * stride[1]))
    bias = [random_bias(rng, quant, weights, out_c, 4000 * taps)] if rng.integers(3) else []
    op = TransposeConv(stride, padding, hw, list(Activation)[i % 4] if i % 3 == 0 else Activation.NONE)
    out = activation("y", op.infer([x, weights])[0], fitting_output(rng, quant, weights, taps))
    return make_case(rng, op, [x, weights, *bias], [out])


class TestTransposeConv(OpConformance):
    def cases(self, rng: np.random.Generator) -> list[Case]:
        return [transpose_case(rng, i) for i in range(80)]


class TestAsymmetricWeights(OpConformance):
    def cases(self, rng: np.random.Generator) -> list[Case]:
        return [with_asymmetric_weights(rng, transpose_case(rng, i)) for i in range(8)]
