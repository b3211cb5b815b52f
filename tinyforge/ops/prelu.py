"""PRELU of int8: one slope per element of alpha, which is constant and broadcasts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyforge.ir.fixed_point import multiply_by_quantized_multiplier, quantize_multiplier
from tinyforge.ir.graph import Tensor
from tinyforge.ir.types import Array, IntArray
from tinyforge.ops.base import require
from tinyforge.ops.broadcast import Binary, PointForm
from tinyforge.ops.proofs import FULL


@dataclass(frozen=True, slots=True)
class Prelu(Binary):
    """x where x >= 0, else alpha * x"""

    kind: ClassVar[str] = "prelu"

    def infer(self, ins: Sequence[Tensor]) -> tuple[tuple[int, ...], ...]:
        shape = Binary.infer(self, ins)[0]
        require(shape == ins[0].shape, f"prelu: alpha of shape {ins[1].shape} is larger than the input {ins[0].shape}")
        return (shape,)

    def check(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> None:
        Binary.check(self, ins, outs)
        require(ins[1].is_constant, f"prelu: alpha {ins[1].name} must be constant")

    def quanta(self, a: IntArray, b: IntArray, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> IntArray:
        x, alpha = a - ins[0].type.zero_point, b - ins[1].type.zero_point
        above, below = _scalings(ins, outs)
        result = np.where(
            x >= 0, multiply_by_quantized_multiplier(x, *above), multiply_by_quantized_multiplier(x * alpha, *below)
        )
        return np.asarray(np.clip(result + outs[0].type.zero_point, -128, 127), np.int64)

    def point_form(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> PointForm:
        above, below = _scalings(ins, outs)
        zeros = (ins[0].type.zero_point, ins[1].type.zero_point, outs[0].type.zero_point)
        parameters = (-zeros[0], -zeros[1], *above, *below, zeros[2])
        return PointForm(9, parameters, -128, 127, FULL)

    def plain(self, a: Array, b: Array) -> Array:
        return np.asarray(np.where(np.greater_equal(a, 0), a, np.multiply(a, b)))


def _scalings(ins: Sequence[Tensor], outs: Sequence[Tensor]) -> tuple[tuple[int, int], tuple[int, int]]:
    """(multiplier, shift) for x >= 0 and for alpha * x; ratios in float32 as the reference's Prepare."""
    x, alpha, out = (np.float32(t.type.scale) for t in (*ins, *outs))
    return quantize_multiplier(float(x / out)), quantize_multiplier(float(np.float32(x * alpha) / out))
