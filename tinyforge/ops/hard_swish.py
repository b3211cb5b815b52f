"""HARD_SWISH of int8: the reference's 16-bit fixed-point arithmetic, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyforge.ir.fixed_point import quantize_multiplier
from tinyforge.ir.graph import Tensor
from tinyforge.ir.types import IntArray
from tinyforge.ops.base import require
from tinyforge.ops.lookup import ALL_INT8, Lookup

INT16_MIN, INT16_MAX = -(2**15), 2**15 - 1
HIRES_BITS = 7


def _multiplier16(real: float) -> tuple[int, int]:
    """``real`` as (multiplier, exponent) with a Q15 multiplier."""
    multiplier, exponent = quantize_multiplier(real)
    return (INT16_MAX if multiplier >= 2**31 - 1 - (1 << 15) else (multiplier + (1 << 15)) >> 16), exponent


def _doubling_high_mul16(a: IntArray, b: IntArray | int, rounding: bool) -> IntArray:
    """int16 a * b * 2 / 2**16, saturating; halves away from zero, or truncated where not ``rounding``."""
    product = a * np.asarray(b, np.int64)
    nudge = np.where(product >= 0, 1 << 14, 1 - (1 << 14)) if rounding else 0
    total = product + nudge
    result = np.where(total >= 0, total >> 15, -((-total) >> 15))
    return np.asarray(np.where((a == INT16_MIN) & (np.asarray(b) == INT16_MIN), INT16_MAX, result), np.int64)


def _rounding_shift_right16(x: IntArray, exponent: int) -> IntArray:
    """x / 2**exponent, halves away from zero. The mask is an int16 as in the reference: exponents beyond 15 give what
    it gives."""
    mask = (((1 << exponent) - 1 + 2**15) & 0xFFFF) - 2**15
    threshold = (mask >> 1) + (x < 0)
    return np.asarray((x >> exponent) + ((x & mask) > threshold), np.int64)


def _saturating_left(x: IntArray, shift: int) -> IntArray:
    return np.asarray(np.clip(x << shift, INT16_MIN, INT16_MAX), np.int64)


def _multipliers(x: Tensor, out: Tensor) -> tuple[tuple[int, int], tuple[int, int]]:
    """(multiplier, exponent) of the output and of the relu6(x + 3) / 6 factor."""
    hires = np.float32(1 / 128) * np.float32(x.type.scale)
    reluish = np.float32(3) / np.float32(32768)
    return _multiplier16(float(hires / np.float32(out.type.scale))), _multiplier16(float(hires / reluish))


@dataclass(frozen=True, slots=True)
class HardSwish(Lookup):
    """x * min(max(x + 3, 0), 6) / 6"""

    kind: ClassVar[str] = "hard_swish"

    def check(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> None:
        Lookup.check(self, ins, outs)
        exponent = _multipliers(ins[0], outs[0])[0][1]
        require(exponent <= 0, f"hard_swish: output scale of {outs[0].name} is too small for its input scale")

    def table(self, x: Tensor, out: Tensor) -> IntArray:
        (out_multiplier, out_exponent), (multiplier, exponent) = _multipliers(x, out)
        hires = (ALL_INT8 - x.type.zero_point) << HIRES_BITS
        preshift = _doubling_high_mul16(hires, out_multiplier, rounding=True)
        reluish = hires
        if exponent > 0:
            reluish = _saturating_left(reluish, exponent - 1)
        reluish = _doubling_high_mul16(reluish, multiplier, rounding=True)
        if exponent > 0:
            reluish = _saturating_left(reluish, 1)
        if exponent < 0:
            reluish = _rounding_shift_right16(reluish, -exponent)
        reluish = (reluish + (1 << 15)) >> 1
        product = _doubling_high_mul16(reluish, preshift, rounding=False)
        result = _rounding_shift_right16(product, -out_exponent) + out.type.zero_point
        return np.asarray(np.clip(result, -128, 127), np.int64)
