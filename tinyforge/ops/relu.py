"""RELU of int8: a rescale and a clamp, as a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyforge.ir.fixed_point import quantize_multiplier, requantize
from tinyforge.ir.graph import Tensor
from tinyforge.ir.types import IntArray
from tinyforge.ops.base import Activation, activation_range
from tinyforge.ops.lookup import ALL_INT8, Lookup


def relu_table(x: Tensor, out: Tensor, activation: Activation) -> IntArray:
    """Rescaled input clamped to the activation; the ratio of scales is taken in float32 as the reference does."""
    ratio = float(np.float32(x.type.scale) / np.float32(out.type.scale))
    multiplier, shift = quantize_multiplier(ratio)
    lo, hi = activation_range(activation, out.type)
    return requantize(ALL_INT8 - x.type.zero_point, multiplier, shift, out.type.zero_point, lo, hi)


@dataclass(frozen=True, slots=True)
class Relu(Lookup):
    """max(x, 0)"""

    kind: ClassVar[str] = "relu"

    def table(self, x: Tensor, out: Tensor) -> IntArray:
        return relu_table(x, out, Activation.RELU)
