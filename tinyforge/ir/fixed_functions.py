"""Exponential, reciprocal and logarithm in Q31 fixed point, integer for integer as the reference kernels' library.

Source: the published formulas of gemmlowp's ``fixedpoint.h`` and LiteRT's ``common.h``. Values are raw int32 numbers in
int64 arrays; "Qm" has m integer bits, so 1.0 is 2**(31 - m). C twin: firmware/include/tf_fixed_functions.h.
"""

from __future__ import annotations

import numpy as np

from tinyforge.ir.fixed_point import INT32_MAX, INT32_MIN, doubling_high_mul, rounding_shift_right, wrap32
from tinyforge.ir.types import IntArray

EXP_MINUS_EIGHTH = 1895147668
ONE_THIRD = 715827883
EXP_STEPS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
"""exp(-2**k) in Q0 for k = -2..4."""

FORTY_EIGHT_SEVENTEENTHS = 1515870810
MINUS_THIRTY_TWO_SEVENTEENTHS = -1010580540

LOG_TWO = 1488522236
SQRT_SQRT_HALF = 1805811301
SQRT_HALF = 1518500250
ALPHA_N, ALPHA_D, ALPHA_I, ALPHA_F = 117049297, 127690142, 1057819769, 638450708


def multiply_by_power_of_two(x: IntArray, exponent: int) -> IntArray:
    """x * 2**exponent: saturating to the left, rounding to the right."""
    if exponent <= 0:
        return rounding_shift_right(x, -exponent)
    return np.asarray(np.clip(np.asarray(x, np.int64) << exponent, INT32_MIN, INT32_MAX), np.int64)


def _exp_of_last_quarter(a: IntArray) -> IntArray:
    """exp of Q0 values in [-1/4, 0): a Taylor polynomial around -1/8."""
    x = a + (1 << 28)
    x2 = doubling_high_mul(x, x)
    x3 = doubling_high_mul(x2, x)
    x4_over_4 = rounding_shift_right(doubling_high_mul(x2, x2), 2)
    tail = rounding_shift_right(doubling_high_mul(x4_over_4 + x3, ONE_THIRD) + x2, 1)
    return EXP_MINUS_EIGHTH + doubling_high_mul(EXP_MINUS_EIGHTH, x + tail)


def exp_on_negative_values(a: IntArray, integer_bits: int) -> IntArray:
    """exp of Q(integer_bits) values <= 0, as Q0; exp(0) is INT32_MAX."""
    a = np.asarray(a, np.int64)
    fraction = 31 - integer_bits
    quarter = 1 << (fraction - 2)
    last = (a & (quarter - 1)) - quarter
    result = _exp_of_last_quarter(multiply_by_power_of_two(last, integer_bits))
    remainder = last - a
    for k, factor in enumerate(EXP_STEPS, start=-2):
        if integer_bits > k:
            result = np.where(remainder & (1 << (fraction + k)), doubling_high_mul(result, factor), result)
    if integer_bits > 5:
        result = np.where(a < -(1 << (fraction + 5)), 0, result)
    return np.asarray(np.where(a == 0, INT32_MAX, result), np.int64)


def one_over_one_plus(a: IntArray) -> IntArray:
    """1 / (1 + a) for Q0 values in [0, 1), as Q0: three Newton-Raphson steps."""
    a = np.asarray(a, np.int64)
    half_denominator = (a + INT32_MAX + 1) // 2  # a + INT32_MAX >= 0: rounds up
    x = FORTY_EIGHT_SEVENTEENTHS + doubling_high_mul(half_denominator, MINUS_THIRTY_TWO_SEVENTEENTHS)
    for _ in range(3):
        error = (1 << 29) - doubling_high_mul(half_denominator, x)
        x = x + multiply_by_power_of_two(doubling_high_mul(x, error), 2)
    return multiply_by_power_of_two(x, 1)


def count_leading_zeros(x: IntArray) -> IntArray:
    """Of 32-bit unsigned values; 32 for 0."""
    bits = np.asarray(x, np.int64) & 0xFFFFFFFF
    return np.asarray(32 - np.ceil(np.log2(bits.astype(np.float64) + 1)), np.int64)


def reciprocal(x: IntArray, integer_bits: int) -> tuple[IntArray, IntArray]:
    """(scale, bits): 1 / x = scale * 2**-bits for x in Q(integer_bits), x >= 1; scale in Q0."""
    headroom = count_leading_zeros(x)
    rest = wrap32((np.asarray(x, np.int64) << headroom) - (1 << 31))
    return one_over_one_plus(rest), integer_bits - headroom


def log_of_at_least_one(value: int, in_bits: int, out_bits: int) -> int:
    """Natural logarithm of a Q(in_bits) value >= 1, as Q(out_bits)."""
    accumulator_bits = out_bits + 1
    shifted_quarter = int(multiply_by_power_of_two(np.int64(1 << 29), -accumulator_bits))
    z = np.int64(value)
    headroom_a = int(count_leading_zeros(z))
    r_a = multiply_by_power_of_two(z, headroom_a - 1)
    r_a = multiply_by_power_of_two(doubling_high_mul(r_a, SQRT_HALF), 1)
    power_a = _saturated(int(multiply_by_power_of_two(np.int64(in_bits - headroom_a), 31 - accumulator_bits)))
    power_a = _saturated(power_a + shifted_quarter)
    headroom_b = int(count_leading_zeros(doubling_high_mul(z, SQRT_HALF))) - 1
    r_b = multiply_by_power_of_two(z, headroom_b)
    power_b = _saturated(int(multiply_by_power_of_two(np.int64(in_bits - headroom_b), 31 - accumulator_bits)))
    power_b = _saturated(power_b - shifted_quarter)
    r, power = min(int(r_a), int(r_b)), max(power_a, power_b)
    numerator, reciprocal_denominator = _log_fraction(r)
    scaled = multiply_by_power_of_two(np.int64(numerator), -accumulator_bits)
    total = doubling_high_mul(power, LOG_TWO) + doubling_high_mul(scaled, reciprocal_denominator)
    return int(multiply_by_power_of_two(total, accumulator_bits - out_bits))


def _log_fraction(r: int) -> tuple[int, int]:
    """(numerator, 1 / denominator) in Q0 of the rational approximation of log around 2**-1/4."""
    total = r + SQRT_SQRT_HALF
    p = (total + (1 if total >= 0 else -1)) // 2 if total >= 0 else -((-total + 1) // 2)
    q = 2 * (r - SQRT_SQRT_HALF)
    squared = int(doubling_high_mul(q, q))
    numerator = int(doubling_high_mul(q, r)) + int(doubling_high_mul(doubling_high_mul(q, squared), ALPHA_N))
    inner = ALPHA_I + q + int(doubling_high_mul(ALPHA_D, squared))
    denominator = int(doubling_high_mul(p, inner)) + int(doubling_high_mul(ALPHA_F, q))
    return numerator, int(one_over_one_plus(np.int64(denominator)))


def _saturated(x: int) -> int:
    return min(max(x, INT32_MIN), INT32_MAX)
