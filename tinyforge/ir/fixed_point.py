"""All Q31 arithmetic of the project, integer for integer as TensorFlow Lite's reference kernels do it.

Source: gemmlowp ``fixedpoint.h`` semantics and ``QuantizeMultiplier`` as used by the LiteRT reference kernels (double
rounding: rounding doubling high multiply, then rounding shift). The C twin is ``firmware/include/tf_fixed_point.h``.
Arrays are int64 so that nothing overflows while an int32 operation is imitated.
"""

from __future__ import annotations

import math

import numpy as np

from tinyforge.ir.types import IntArray

INT32_MIN = -(2**31)
INT32_MAX = 2**31 - 1


def quantize_multiplier(real: float) -> tuple[int, int]:
    """``real`` >= 0 as (multiplier, shift): real = multiplier * 2**(shift - 31), multiplier 0 or in [2**30, 2**31).

    shift > 0 means left. Multipliers too small to matter become (0, 0), too large ones saturate, as in the reference.
    """
    if real == 0.0:
        return 0, 0
    fraction, shift = math.frexp(real)
    multiplier = _round_half_away(fraction * (1 << 31))
    if multiplier == 1 << 31:
        multiplier //= 2
        shift += 1
    if shift < -31:
        return 0, 0
    if shift > 30:
        return INT32_MAX, 30
    return multiplier, shift


def _round_half_away(x: float) -> int:
    """C ``round``: halves away from zero. Exact for |x| < 2**52."""
    return math.floor(x + 0.5) if x >= 0 else math.ceil(x - 0.5)


def round_half_away(x: float) -> int:
    """C ``round`` (TfLiteRound): halves away from zero."""
    floor = math.floor(x)
    diff = x - floor
    if diff == 0.5:
        return floor if x < 0 else floor + 1
    return floor if diff < 0.5 else floor + 1


def doubling_high_mul(a: IntArray | int, b: IntArray | int) -> IntArray:
    """SaturatingRoundingDoublingHighMul: (2*a*b + rounding) >> 32 with ties away from zero, int32 x int32 -> int32."""
    a64, b64 = np.asarray(a, np.int64), np.asarray(b, np.int64)
    product = a64 * b64
    nudge = np.where(product >= 0, 1 << 30, 1 - (1 << 30))
    total = product + nudge
    result = np.where(total >= 0, total >> 31, -((-total) >> 31))  # C division truncates
    return np.asarray(np.where((a64 == INT32_MIN) & (b64 == INT32_MIN), INT32_MAX, result), np.int64)


def rounding_shift_right(x: IntArray | int, exponent: IntArray | int) -> IntArray:
    """RoundingDivideByPOT: x / 2**exponent, ties away from zero; exponent in [0, 31]."""
    x64, e = np.asarray(x, np.int64), np.asarray(exponent, np.int64)
    mask = (np.int64(1) << e) - 1
    remainder = x64 & mask
    threshold = (mask >> 1) + (x64 < 0)
    return np.asarray((x64 >> e) + (remainder > threshold), np.int64)


def wrap32(x: IntArray) -> IntArray:
    """int32 two's complement wrap-around of an int64 array."""
    return np.asarray(((x + (1 << 31)) & 0xFFFFFFFF) - (1 << 31), np.int64)


def multiply_by_quantized_multiplier(x: IntArray | int, multiplier: IntArray | int, shift: IntArray | int) -> IntArray:
    """x * multiplier * 2**(shift - 31), rounded twice as the reference does; int32 in, int32 out."""
    s = np.asarray(shift, np.int64)
    left, right = np.maximum(s, 0), np.maximum(-s, 0)
    shifted = wrap32(np.asarray(x, np.int64) * (np.int64(1) << left))
    return rounding_shift_right(doubling_high_mul(shifted, multiplier), right)


def requantize(
    acc: IntArray, multiplier: IntArray | int, shift: IntArray | int, zero_point: int, lo: int, hi: int
) -> IntArray:
    """Accumulator -> output quanta: multiply, add the output zero point, clamp to [lo, hi]."""
    scaled = multiply_by_quantized_multiplier(acc, multiplier, shift) + zero_point
    return np.asarray(np.clip(scaled, lo, hi), np.int64)
