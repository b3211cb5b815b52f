"""CONV_2D against LiteRT, on windows, in C: packed and plain kernels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tests.ops.conformance import Case, OpConformance, activation, constant, make_case, random_quant
from tests.ops.convolutions import choice, fitting_output, random_bias, random_padding, random_weights
from tinyforge.ir.graph import Tensor
from tinyforge.ir.types import Quant
from tinyforge.ops.base import Activation
from tinyforge.ops.conv2d import Conv2D


def conv_case(
    rng: np.random.Generator,
    hw: tuple[int, int],
    channels: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int] = (1, 1),
    dilation: tuple[int, int] = (1, 1),
    padding: Sequence[int] | None = None,
) -> Case:
    """Random quantisation, weights, bias and activation for one shape."""
    x = activation("x", (1, *hw, channels[0]), random_quant(rng))
    assert x.type.quant is not None
    w = random_weights(rng, (channels[1], *kernel, channels[0]), 0)
    if padding is None:
        padding = random_padding(rng, hw, kernel, stride, dilation)
    taps = kernel[0] * kernel[1] * channels[0]
    op = Conv2D(stride, dilation, tuple(padding), list(Activation)[int(rng.integers(4))])  # type: ignore[arg-type]
    ins: list[Tensor] = [x, w]
    if rng.integers(4):
        ins.append(random_bias(rng, x.type.quant, w, channels[1], 40 * taps * 50))
    return make_case(rng, op, ins, [activation("y", op.infer(ins)[0], fitting_output(rng, x.type.quant, w, taps))])


def any_case(rng: np.random.Generator) -> Case:
    kernel = (choice(rng, (1, 1, 2, 3, 3, 5)), choice(rng, (1, 1, 2, 3, 3, 4)))
    dilation = (choice(rng, (1, 1, 1, 2, 3)), choice(rng, (1, 1, 1, 2, 3)))
    stride = (choice(rng, (1, 1, 2, 3, 4)), choice(rng, (1, 1, 2, 3, 4)))
    hw = (int(rng.integers(1, 12)), int(rng.integers(1, 12)))
    return conv_case(rng, hw, (int(rng.integers(1, 20)), int(rng.integers(1, 12))), kernel, stride, dilation)


def edge_cases(rng: np.random.Generator) -> list[Case]:
    """Shapes the kernels treat differently."""
    cases = [
        conv_case(rng, (5, w), (c, o), (1, 1), padding=(0,) * 4) for w in (1, 3) for c in (4, 8, 33) for o in (2, 7)
    ]
    cases += [conv_case(rng, (3, w), (8, 4), (3, 3)) for w in (1, 2, 4, 5, 8)]
    cases += [conv_case(rng, (2, 3), (3, 5), (5, 7), padding=(3, 2, 4, 3))]  # larger than the map
    cases += [conv_case(rng, (4, 4), (48, o), (3, 3), padding=(1, 1, 1, 1)) for o in (1, 3)]
    cases += [conv_case(rng, (3, 5), (160, 3), (3, 3), padding=(1, 1, 1, 1))]  # two and one pixels at a time
    cases += [conv_case(rng, (49, 10), (1, 6), (10, 4), (2, 2), padding=(4, 5, 1, 1))]  # keyword-spotting stem
    return [*cases, conv_case(rng, (9, 9), (3, 8), (3, 3), (2, 2), padding=(0, 1, 0, 1))]


def weights_case(rng: np.random.Generator, data: np.ndarray, zero: int, out: Quant, act: Activation) -> Case:
    """Given weights with a zero point; LiteRT takes none but 0 for int8."""
    x = activation("x", (1, 4, 5, data.shape[3]), random_quant(rng))
    w = constant("w", data.astype(np.int8), Quant((0.02,), (zero,)))
    op = Conv2D((1, 1), (1, 1), (1, 0, 0, 1), act)
    why = "int8 weights with a zero point" if zero else ""
    return make_case(rng, op, [x, w], [activation("y", op.infer([x, w])[0], out)], no_litert=why)


def extreme_cases(rng: np.random.Generator) -> list[Case]:
    shape = (6, 2, 2, 12)
    tables = [np.full(shape, v) for v in (-128, -127, 127)] + [rng.choice([-128, 127], shape)]
    cases = [
        weights_case(rng, t, 0, Quant((s,), (z,)), Activation.NONE)
        for t in tables
        for s in (0.01, 3.0)
        for z in (-128, 127)
    ]
    big = rng.choice([-127, 127], (3, 2, 2, 160))
    cases.append(weights_case(rng, np.abs(big), 0, Quant((9.0,), (-3,)), Activation.RELU))  # sums too large to pack
    narrow = rng.integers(-40, 40, shape)
    return [*cases, *(weights_case(rng, narrow, z, Quant((0.3,), (-7,)), Activation.RELU6) for z in (-100, 20, 127))]


class TestConv2D(OpConformance):
    def cases(self, rng: np.random.Generator) -> list[Case]:
        return [*(any_case(rng) for _ in range(30)), *edge_cases(rng), *extreme_cases(rng)]
