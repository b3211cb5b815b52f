"""Short integer forms of functions of two int8 operands, proven on every pair before they are used.

A form is accepted only if it equals the exact function on all points given and no int32 intermediate overflows; codes
and parameters are those of firmware/kernels/tf_binary_s8.h.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyforge.ir.fixed_point import quantize_multiplier
from tinyforge.ir.types import IntArray
from tinyforge.ops.broadcast import PointForm

INT32 = 2**31 - 1
NEIGHBOURS = (0, 1, -1, 2, -2, 3, -3)


@dataclass(frozen=True, slots=True, eq=False)
class Exact:
    """The function to be met: ``want`` for broadcastable int64 operand values ``a`` and ``b``, clamped to [lo, hi]."""

    a: IntArray
    b: IntArray
    want: IntArray
    lo: int
    hi: int


def offset_interval(exact: Exact, raw: IntArray, shift: int) -> tuple[int, int]:
    """All constants c with clamp((raw + c) >> shift, lo, hi) == want on every point: [low, high], empty if low > high.

    Where the clamp cuts, only one side binds.
    """
    scaled = exact.want << shift
    above = np.where(exact.want > exact.lo, scaled - raw, -(2**62))
    below = np.where(exact.want < exact.hi, scaled + ((1 << shift) - 1) - raw, 2**62)
    return max(int(above.max()), -INT32), min(int(below.min()), INT32)


def _ties_away(t: IntArray) -> IntArray:
    return t + (t >> 31)


def linear_form(exact: Exact, slope_a: float, slope_b: float, zero_a: int, zero_b: int) -> PointForm | None:
    """(floor(a*ka / 256) + floor(b*kb / 256) + c) >> s, ka and kb near slope * 2**(s + 8); ties away from zero where
    that needs it."""
    real = exact.a * slope_a + exact.b * slope_b
    shift = _linear_shift(exact, real, slope_a, slope_b)
    if shift is None:
        return None
    offset = exact.want - (real - slope_a * zero_a - slope_b * zero_b)
    near = np.abs(np.abs(offset - np.round(offset.mean())) - 0.5) < 2.0**-7
    a, b = (np.broadcast_to(v, near.shape)[near] for v in (exact.a, exact.b))
    hard = Exact(a, b, exact.want[near], exact.lo, exact.hi)
    for ka, kb in _linear_candidates(hard, shift, slope_a, slope_b):
        found = _linear(exact, ka, kb, shift, zero_a, zero_b)
        if found is not None:
            return found
    return None


def _linear_shift(exact: Exact, real: npt.NDArray[np.float64], slope_a: float, slope_b: float) -> int | None:
    """The largest shift at which factors and sums stay inside int32."""
    reach = float(np.abs(real - real.mean()).max()) + float(np.abs(real).max()) + 300.0
    steepest = max(abs(slope_a), abs(slope_b))
    fitting = [s for s in range(22, 7, -1) if steepest * 2.0 ** (s + 8) < 2.0**31 - 4096 and reach * 2.0**s < 2.0**31]
    return fitting[0] if fitting else None


def _linear_candidates(hard: Exact, shift: int, slope_a: float, slope_b: float) -> Iterator[tuple[int, int]]:
    """Factors around the real ones, first those that fit the hard points, which are close to a step."""
    ka, kb = round(slope_a * 2.0 ** (shift + 8)), round(slope_b * 2.0 ** (shift + 8))
    yield ka, kb
    for step in (16, 64, 256):
        for da, db in _RING:
            pair = (ka + da * step, kb + db * step)
            if max(abs(pair[0]), abs(pair[1])) <= INT32 and _meets(hard, *pair, shift):
                yield pair


_RING = sorted(itertools.product(range(-4, 5), repeat=2), key=lambda d: (abs(d[0]) + abs(d[1]), d))[1:]


def _meets(hard: Exact, ka: int, kb: int, shift: int) -> bool:
    low, high = offset_interval(hard, _linear_raw(hard, ka, kb), shift) if hard.want.size else (0, 0)
    return low <= high


def _linear_raw(exact: Exact, ka: int, kb: int) -> IntArray:
    return np.asarray(((exact.a * ka) >> 8) + ((exact.b * kb) >> 8), np.int64)


def _linear(exact: Exact, ka: int, kb: int, shift: int, zero_a: int, zero_b: int) -> PointForm | None:
    """The form with these factors if some constant makes it equal on every pair."""
    raw = _linear_raw(exact, ka, kb)
    low, high = offset_interval(exact, raw, shift)
    if low <= high and _bounded(raw + (low + high) // 2):
        return PointForm(0, (ka, kb, (low + high) // 2, shift), exact.lo, exact.hi, "linear form")
    origin = -((zero_a * ka) >> 8) - ((zero_b * kb) >> 8)
    low, high = offset_interval(exact, _ties_away(raw + origin), shift)
    c = (low + high) // 2
    if low <= high and _bounded(raw + origin) and _bounded(_ties_away(raw + origin) + c):
        parameters = (ka, kb, origin, shift, c)
        return PointForm(1, parameters, exact.lo, exact.hi, "linear form, ties away from zero")
    return None


def _bounded(t: IntArray) -> bool:
    return int(np.abs(t).max()) < INT32


@dataclass(frozen=True, slots=True)
class ChannelProduct:
    """Parameters of firmware/kernels/tf_mul_channels_s8.h."""

    wide: int
    left: int
    factor: int
    add: int
    shift: int


def channel_product(exact: Exact, slope: float, zero_a: int, zero_b: int) -> ChannelProduct | None:
    """A form of (a - zero_a) * (b - zero_b) * slope whose part of b is computed once for many a."""
    small = product_form(exact, slope, zero_a, zero_b)
    if small is not None and small.code == 4:
        _, _, factor, add, shift = small.parameters
        steepest = int(np.abs(exact.b - zero_b).max()) * factor
        if steepest * (128 + abs(zero_a)) + abs(add) < INT32:
            return ChannelProduct(0, 0, factor, add, shift)
    return _wide_channel_product(exact, slope, zero_a, zero_b)


def _wide_channel_product(exact: Exact, slope: float, zero_a: int, zero_b: int) -> ChannelProduct | None:
    """Both products keep their high words: about 20 bits behind the point."""
    multiplier, exponent = quantize_multiplier(slope)
    left = 23
    while 2 * left - 33 - exponent > 22:
        left -= 1
    shift = 2 * left - 33 - exponent  # high words drop 64 bits of 2 * left, the reference 31 - exponent
    if left < 8 or shift <= 0:
        return None
    b = (((exact.b - zero_b) << left) * multiplier) >> 32
    raw = (((exact.a - zero_a) << left) * b) >> 32
    low, high = offset_interval(exact, raw, shift)
    add = (low + high) // 2
    if low > high or not _bounded(raw + add):
        return None
    return ChannelProduct(1, left, multiplier, add, shift)


def product_form(exact: Exact, slope: float, zero_a: int, zero_b: int) -> PointForm | None:
    """A form of (a - zero_a) * (b - zero_b) * slope: 32-bit where that is enough, else the high half of 64 bits."""
    a, b = exact.a - zero_a, exact.b - zero_b
    product = a * b
    largest = int(np.abs(product).max())
    if largest == 0:
        return None
    return _small_product(exact, product, largest, slope, (zero_a, zero_b)) or _high_product(
        exact, product, largest, slope, (zero_a, zero_b)
    )


def _small_product(
    exact: Exact, product: IntArray, largest: int, slope: float, zeros: tuple[int, int]
) -> PointForm | None:
    for shift in range(30, 7, -1):
        k = round(slope * 2.0**shift)
        if k * largest >= 2**30:
            continue
        for factor in _near(k):
            low, high = offset_interval(exact, product * factor, shift)
            c = (low + high) // 2
            if low <= high and factor * largest + abs(c) < INT32:
                parameters = (-zeros[0], -zeros[1], factor, c, shift)
                return PointForm(4, parameters, exact.lo, exact.hi, "32-bit product")
        if k < 1 << 8:
            return None
    return None


def _near(k: int) -> Iterable[int]:
    return [k + d for d in NEIGHBOURS[:3] if k + d > 0]


def _high_product(
    exact: Exact, product: IntArray, largest: int, slope: float, zeros: tuple[int, int]
) -> PointForm | None:
    """The reference's multiplier and shift with its first rounding by SMMLAR: ties of the
    second one away from zero."""
    multiplier, exponent = quantize_multiplier(slope)
    left, shift = max(exponent, 0) + 1, max(-exponent, 0)
    if (largest << left) > INT32 or not multiplier:
        return None
    doubled = product << left
    rounded = (doubled * multiplier + (1 << 31)) >> 32
    for code, raw in ((2, rounded), (3, rounded + (doubled >> 63))):
        low, high = offset_interval(exact, raw, shift)
        c = (low + high) // 2
        if low <= high and int(np.abs(rounded).max()) + 1 + abs(c) < INT32:
            parameters = (-zeros[0], -zeros[1], left, multiplier, c, shift)
            return PointForm(code, parameters, exact.lo, exact.hi, "high half of a 64-bit product")
    return None
