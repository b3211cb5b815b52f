"""DEPTHWISE_CONV_2D against LiteRT, windows, C: shapes of real models, then random ones."""

from __future__ import annotations

import numpy as np

from tests.ops.conformance import Case, OpConformance, activation, make_case, random_quant
from tests.ops.convolutions import (
    choice,
    fitting_output,
    random_bias,
    random_padding,
    random_weights,
    with_asymmetric_weights,
)
from tinyforge.ir.types import Quant
from tinyforge.ops.base import Activation
from tinyforge.ops.depthwise_conv2d import DepthwiseConv2D

# height, width, channels, multiplier, kernel, stride, dilation
SHAPES = [
    ((25, 5, 64), 1, (3, 3), (1, 1), (1, 1)),
    ((12, 12, 32), 1, (3, 3), (2, 2), (1, 1)),
    ((9, 9, 16), 1, (5, 5), (1, 1), (1, 1)),
    ((9, 10, 12), 1, (7, 7), (2, 2), (1, 1)),
    ((5, 20, 8), 1, (1, 5), (1, 1), (1, 1)),
    ((20, 5, 8), 1, (9, 1), (1, 1), (1, 1)),
    ((49, 10, 1), 8, (10, 8), (2, 2), (1, 1)),
    ((8, 9, 3), 4, (3, 3), (1, 1), (1, 1)),
    ((12, 13, 6), 1, (3, 3), (1, 1), (2, 3)),
    ((3, 3, 5), 1, (3, 3), (1, 1), (1, 1)),
    ((1, 1, 8), 1, (3, 3), (1, 1), (1, 1)),
    ((2, 40, 4), 1, (10, 4), (1, 2), (1, 1)),
    ((4, 33, 10), 1, (3, 3), (1, 1), (1, 1)),
    ((5, 36, 9), 1, (3, 3), (2, 2), (1, 1)),
]
# padding of the first ones, the usual activation: the quickest kernels need an output zero point of -128
PADDINGS = {0: (1, 1, 1, 1), 1: (0, 1, 0, 1), 12: (0, 0, 0, 0), 13: (1, 1, 1, 1)}


def depthwise_case(rng: np.random.Generator, i: int) -> Case:
    if i < len(SHAPES):
        (h, w, c), multiplier, kernel, stride, dilation = SHAPES[i]
    else:
        h, w = (int(n) for n in rng.integers(1, 13, 2))
        c, multiplier = choice(rng, [1, 2, 3, 4, 5, 6, 7, 8, 12, 18]), choice(rng, [1, 1, 1, 1, 2, 3, 8])
        kernel = (choice(rng, [1, 2, 3, 3, 3, 4, 5, 7]), choice(rng, [1, 2, 3, 3, 3, 4, 5, 7]))
        stride = (choice(rng, [1, 1, 2, 3]), choice(rng, [1, 1, 2, 3, 4]))
        dilation = (choice(rng, [1, 1, 1, 2]), choice(rng, [1, 1, 1, 2, 3])) if stride == (1, 1) else (1, 1)
    padding = PADDINGS.get(i) or random_padding(rng, (h, w), kernel, stride, dilation)
    quant = random_quant(rng)
    x, weights = activation("x", (1, h, w, c), quant), random_weights(rng, (1, *kernel, c * multiplier), 3)
    taps = kernel[0] * kernel[1]
    bias = [random_bias(rng, quant, weights, c * multiplier, 4000 * taps)] if rng.integers(4) else []
    usual = i < len(SHAPES) and i % 3 < 2
    activation_of = Activation.RELU if usual else list(Activation)[int(rng.integers(4))]
    op = DepthwiseConv2D(stride, dilation, padding, multiplier, activation_of)
    fitting = fitting_output(rng, quant, weights, taps)
    fitting = Quant(fitting.scale, (-128,)) if usual else fitting
    out = activation("y", op.infer([x, weights])[0], fitting)
    return make_case(rng, op, [x, weights, *bias], [out])


class TestAsymmetricWeights(OpConformance):
    def cases(self, rng: np.random.Generator) -> list[Case]:
        return [with_asymmetric_weights(rng, depthwise_case(rng, i)) for i in (0, 1, 4, 6, 8, 9)]


class TestDepthwiseConv2D(OpConformance):
    def cases(self, rng: np.random.Generator) -> list[Case]:
        return [depthwise_case(rng, i) for i in range(30)]
