"""Multipliers of convolution-like operators, exactly as LiteRT's Prepare computes them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tinyforge.ir.fixed_point import quantize_multiplier, requantize
from tinyforge.ir.graph import Tensor
from tinyforge.ir.types import Array, IntArray, TensorType
from tinyforge.ops.base import Activation, activation_range


def channel_scales(x: TensorType, w: TensorType, out: TensorType, channels: int) -> npt.NDArray[np.float64]:
    """Input scale * weight scale / output scale per output channel, in double from the float32 scales."""
    scales = w.quant.scale if w.quant else (1.0,)
    factors = [float(np.float32(x.scale)) * float(np.float32(s)) / float(np.float32(out.scale)) for s in scales]
    return np.array(factors * channels if len(factors) == 1 else factors, np.float64)


def channel_multipliers(x: TensorType, w: TensorType, out: TensorType, channels: int) -> tuple[IntArray, IntArray]:
    """(multiplier, shift) per output channel, as PopulateConvolutionQuantizationParams computes them."""
    pairs = [quantize_multiplier(float(e)) for e in channel_scales(x, w, out, channels)]
    return np.array([p[0] for p in pairs], np.int64), np.array([p[1] for p in pairs], np.int64)


def weights_without_zero(ins: Sequence[Tensor]) -> IntArray:
    """Weights minus their zero point (files that were uint8 have one), in [-255, 255]."""
    return np.asarray(ins[1].array().astype(np.int64) - ins[1].type.zero_point, np.int64)


def folded_bias(ins: Sequence[Tensor]) -> IntArray:
    """Bias with the input's zero point folded in: sum(w * (x - z)) + b == sum(w * x) + (b - z * sum(w)), so that
    padding reads as z. One entry per output channel; weights (channels, ...)."""
    w = weights_without_zero(ins)
    channels = w.shape[0]
    bias = ins[2].array().astype(np.int64) if len(ins) > 2 else np.zeros(channels, np.int64)
    return np.asarray(bias - ins[0].type.zero_point * w.reshape(channels, -1).sum(axis=1), np.int64)


def convolution_outputs(
    acc: IntArray, ins: Sequence[Tensor], out: Tensor, channels: int, activation: Activation
) -> Array:
    """int8 outputs of a convolution's sums ``acc`` (..., channels), which hold neither the bias ``ins[2]`` nor zero
    points: bias, reference requantisation per channel, clamp of the activation."""
    if len(ins) > 2:
        acc = acc + ins[2].array().astype(np.int64)
    multiplier, shift = channel_multipliers(ins[0].type, ins[1].type, out.type, channels)
    lo, hi = activation_range(activation, out.type)
    return requantize(acc, multiplier, shift, out.type.zero_point, lo, hi).astype(np.int8)
