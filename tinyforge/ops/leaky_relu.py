"""LEAKY_RELU of int8: two rescales, chosen by the sign, as a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyforge.ir.fixed_point import multiply_by_quantized_multiplier, quantize_multiplier
from tinyforge.ir.graph import Tensor
from tinyforge.ir.types import IntArray
from tinyforge.ops.lookup import ALL_INT8, Lookup


@dataclass(frozen=True, slots=True)
class LeakyRelu(Lookup):
    """x where x >= 0, else alpha * x"""

    alpha: float
    kind: ClassVar[str] = "leaky_relu"

    def table(self, x: Tensor, out: Tensor) -> IntArray:
        scale, alpha, to = np.float32(x.type.scale), np.float32(self.alpha), np.float32(out.type.scale)
        slope = float(np.float32(scale * alpha) / to)
        multiplier, shift = quantize_multiplier(abs(slope))
        negative_multiplier = multiplier if slope >= 0 else -multiplier
        value = ALL_INT8 - x.type.zero_point
        above = multiply_by_quantized_multiplier(value, *quantize_multiplier(float(scale / to)))
        below = multiply_by_quantized_multiplier(value, negative_multiplier, shift)
        result = np.where(value >= 0, above, below) + out.type.zero_point
        return np.asarray(np.clip(result, -128, 127), np.int64)
