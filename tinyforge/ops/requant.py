"""Short requantisation, proven equal to the reference per channel before it is used.

For one channel the reference is a monotone step function of an integer accumulator, with at most 255 steps. The short
form is

    t = add + ((2 * acc * multiplier [+ 2**31]) >> 32) [- (acc < 0)]           one SMMLA or SMMLAR, one ADD where signed
    out = clamp(t >> shift)                                                    one shift, one SSAT

with ``add = zero * 2**shift + 2**(shift - 1)``. Two monotone step functions are equal on a range if and only if they
agree at both ends of it and on both sides of every step of one of them: that is what is compared, with the very tables
that go into the C. C twin: ``firmware/include/tf_requant.h``.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyforge.ir.fixed_point import requantize
from tinyforge.ir.program import Table
from tinyforge.ir.types import IntArray

_LIMIT = 1 << 30  # twice an accumulator must stay an int32
_NUDGES = (0, 1, -1, 2, -2)  # tried on a multiplier whose thresholds miss by less than its last bit


class Rounding(enum.Enum):
    """How the short form rounds; the value is the C macro's."""

    REAL = 0
    Q31 = 1
    Q31_SIGNED = 3


@dataclass(frozen=True, slots=True, eq=False)
class Rescale:
    """What the reference does with the accumulators of one operator; arrays hold one entry per channel.

    ``multiplier`` Q31 and ``shift`` > 0 left. ``real`` None: rounded twice, as gemmlowp (convolutions); else the real
    factors in double: the product is rounded once, halves away from zero (FULLY_CONNECTED).
    ``acc_lo`` and ``acc_hi`` bound the reachable accumulators, bias included.
    """

    multiplier: IntArray
    shift: IntArray
    zero: int
    lo: int
    hi: int
    acc_lo: IntArray
    acc_hi: IntArray
    real: npt.NDArray[np.float64] | None = None

    def reference(self, acc: IntArray) -> IntArray:
        """Outputs of accumulators (channels, n)."""
        if self.real is None:
            return requantize(acc, self.multiplier[:, None], self.shift[:, None], self.zero, self.lo, self.hi)
        return requantize_real(acc, self.real[:, None], self.zero, self.lo, self.hi)


@dataclass(frozen=True, slots=True, eq=False)
class ShortForm:
    """Tables of the proven short form, one entry per channel; ``rounding`` holds for the whole operator."""

    multiplier: IntArray
    add: IntArray
    shift: IntArray
    rounding: Rounding
    lo: int
    hi: int

    @property
    def common_shift(self) -> int | None:
        """The shift when all channels share it."""
        values = np.unique(self.shift)
        return int(values[0]) if len(values) == 1 else None

    def tables(self) -> tuple[Table, ...]:
        """multiplier, add, shift for kernels that keep them apart."""
        return (
            Table("multiplier", "int32_t", self.multiplier),
            Table("add", "int32_t", self.add),
            Table("shift", "int8_t", self.shift),
        )

    def apply(self, acc: IntArray) -> IntArray:
        """What the C computes, for accumulators (channels, n)."""
        half = 0 if self.rounding is Rounding.REAL else 1 << 31
        acc = np.where(self.multiplier[:, None] == 0, 0, acc)  # any sum: the products below would overflow int64
        total = self.add[:, None] + ((2 * acc * self.multiplier[:, None] + half) >> 32)
        if self.rounding is Rounding.Q31_SIGNED:
            total = total - (acc < 0)
        return np.asarray(np.clip(total >> self.shift[:, None], self.lo, self.hi), np.int64)


def requantize_real(acc: IntArray, real: npt.NDArray[np.float64], zero: int, lo: int, hi: int) -> IntArray:
    """Accumulator -> output quanta through a double factor, halves away from zero: FULLY_CONNECTED of LiteRT.
    |acc * real| must stay below 2**31, where the reference's cast to int32 overflows."""
    product = acc.astype(np.float64) * real
    rounded = np.sign(product) * np.floor(np.abs(product) + 0.5)
    return np.asarray(np.clip(rounded + zero, lo, hi), np.int64)


def accumulator_range(w: IntArray, bias: IntArray, x_lo: int = -128, x_hi: int = 127) -> tuple[IntArray, IntArray]:
    """Smallest and largest sum(w * x) + bias per channel; w (channels, n), any x in [x_lo, x_hi]."""
    lo = np.minimum(w * x_lo, w * x_hi).sum(axis=1) + bias
    hi = np.maximum(w * x_lo, w * x_hi).sum(axis=1) + bias
    return np.asarray(lo, np.int64), np.asarray(hi, np.int64)


def short_form(rescale: Rescale) -> ShortForm | None:
    """The short form with its tables, or None where it does not hold: a multiplier of 1 or more, accumulators beyond
    2**30, or a proof that fails for a channel."""
    r = rescale
    flat = constant_channels(r)
    reach = np.where(flat, 0, np.maximum(np.abs(r.acc_lo), np.abs(r.acc_hi)))
    if (~flat & (r.shift > 0)).any() or (reach >= _LIMIT).any():
        return None
    # A channel of one possible output (dead, or a tiny multiplier): 0 * acc, with a rounding bit that absorbs the sign.
    multiplier, shift = np.where(flat, 0, r.multiplier), np.where(flat, 1, -r.shift)
    aim = np.where(flat, r.reference(r.acc_lo[:, None])[:, 0], r.zero)
    add = np.asarray((aim << shift) + np.where(shift > 0, 1 << np.maximum(shift - 1, 0), 0), np.int64)
    if (np.abs(add) + reach + 2 >= 1 << 31).any():
        return None
    return _proven_form(r, multiplier, add, shift)


def constant_channels(rescale: Rescale) -> npt.NDArray[np.bool_]:
    """Which channels give one output over their whole range: what such a channel sums does not matter."""
    ends = rescale.reference(np.stack([rescale.acc_lo, rescale.acc_hi], axis=1))
    return np.asarray(ends[:, 0] == ends[:, 1], np.bool_)


def _proven_form(r: Rescale, multiplier: IntArray, add: IntArray, shift: IntArray) -> ShortForm | None:
    """The form with each multiplier nudged, if need be, to one whose thresholds are the reference's."""
    rounding = Rounding.REAL if r.real is not None else Rounding.Q31_SIGNED if r.lo < r.zero else Rounding.Q31
    points = proof_points(r)
    want = r.reference(points)
    for nudge in _NUDGES:
        form = ShortForm(multiplier, add, shift, rounding, r.lo, r.hi)
        wrong = (form.apply(points) != want).any(axis=1)
        if not wrong.any():
            return form
        multiplier = np.where(wrong & (r.multiplier + nudge < 1 << 31), r.multiplier + nudge, multiplier)
    return None


def proof_points(rescale: Rescale) -> IntArray:
    """Accumulators at which equal monotone functions are equal everywhere in reach: both sides of every step of the
    reference and both ends of the range. (channels, n)"""
    r = rescale
    steps = thresholds(r)
    points = np.concatenate([steps, steps - 1, r.acc_lo[:, None], r.acc_hi[:, None]], axis=1)
    return np.asarray(np.clip(points, r.acc_lo[:, None], r.acc_hi[:, None]), np.int64)


def thresholds(rescale: Rescale) -> IntArray:
    """(channels, hi - lo): for every output k in (lo, hi] the smallest accumulator whose output is at least k; past the
    range where none in reach is."""
    r = rescale
    guess = _first_guess(r)
    low, high = r.acc_lo[:, None], r.acc_hi[:, None]
    outputs = np.arange(r.lo + 1, r.hi + 1, dtype=np.int64)[None, :]
    # The guess is at most two off: real arithmetic against the reference's two roundings.
    result = np.clip(guess + 3, low, high + 1)
    for offset in (2, 1, 0, -1, -2, -3):
        candidate = np.clip(guess + offset, low, high + 1)
        reached = (r.reference(np.minimum(candidate, high)) >= outputs) & (candidate <= high)
        result = np.where(reached, candidate, result)
    return np.asarray(result, np.int64)


def _first_guess(r: Rescale) -> IntArray:
    """Where acc * factor crosses k - zero - 1/2, in double."""
    factor = r.multiplier * np.exp2(r.shift.astype(np.float64) - 31) if r.real is None else r.real
    crossing = np.arange(r.lo + 1, r.hi + 1, dtype=np.float64)[None, :] - r.zero - 0.5
    quotient = crossing / np.maximum(factor, 1e-30)[:, None]
    return np.asarray(np.clip(np.ceil(quotient), -(2.0**40), 2.0**40), np.int64)
