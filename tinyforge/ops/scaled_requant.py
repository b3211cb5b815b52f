"""The shortest requantisation: two instructions an output, for kernels whose weights are int16 with bits to spare.

The weights of a channel are stored times ``factor`` and its accumulator s starts at ``start``, so that it ends with
room below its unit:

    out = clamp((add + (s * multiplier >> 32)) >> shift)      one SMMLA, one SSAT with its shift

``shift`` is common to all channels; bias, output zero point and rounding are all inside ``start`` and ``add``, solved
from the reference's own steps. Step k at the sum T (without bias) asks for

    (T * factor + start) * multiplier + add * 2**32 >= k * 2**(shift + 32)

and for T - 1 the opposite. Multipliers around the real value are tried, then smaller factors.
Where outputs lie on both sides of the zero point there is seldom a solution: the reference rounds ties away from it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyforge.ir.types import IntArray
from tinyforge.ops.requant import Rescale, thresholds

FloatArray = npt.NDArray[np.float64]
_MAX_SHIFT = 22  # keeps k * 2**(shift + 32) inside int64
_MULTIPLIER_DIGITS = 27  # what thresholds over 2**17 sums ask for, and some to spare
_MAX_START = 1 << 29  # a start for small multipliers would leave int32; ``add`` takes over
_OPEN = np.int64(1) << 61


@dataclass(frozen=True, slots=True, eq=False)
class ScaledForm:
    """Tables of a proven form, one entry per channel; ``shift`` holds for the whole operator."""

    multiplier: IntArray
    start: IntArray
    add: IntArray
    factor: IntArray
    shift: int
    lo: int
    hi: int

    def total(self, raw: IntArray) -> IntArray:
        """The accumulator of sums without bias (channels, n)."""
        return raw * self.factor[:, None] + self.start[:, None]

    def high(self, raw: IntArray) -> IntArray:
        return self.add[:, None] + (self.total(raw) * self.multiplier[:, None] >> 32)

    def apply(self, raw: IntArray) -> IntArray:
        """What the C computes, for sums without bias (channels, n)."""
        return np.asarray(np.clip(self.high(raw) >> self.shift, self.lo, self.hi), np.int64)


def scaled_form(rescale: Rescale, bias: IntArray, most_bits: int) -> ScaledForm | None:
    """The form with its tables, or None where one of the channels has none. ``bias``: what lies between the sums of
    the kernel and the accumulators of ``rescale``; ``most_bits``: how far weights may be scaled up."""
    if rescale.lo >= rescale.hi:
        return None
    real = np.asarray(rescale.multiplier * np.exp2(rescale.shift.astype(np.float64) - 31), np.float64)
    shift = int(np.floor(most_bits - 1.5 - np.log2(max(float(real.max()), 1e-9))))
    if shift < 0:
        return None
    search = _Search(rescale, bias, real, min(shift, _MAX_SHIFT), most_bits)
    both_sides = rescale.lo < rescale.zero
    for reduction in range(1 if both_sides else 8):
        search.run(reduction, 5)
    form = search.form()
    return form if form is not None and _proven(rescale, bias, form, search.steps) else None


class _Search:
    """Constants found so far, and the channels still without."""

    def __init__(self, rescale: Rescale, bias: IntArray, real: FloatArray, shift: int, bits: int) -> None:
        self.rescale, self.shift = rescale, shift
        # Small factors get fewer bits on the weights and so more on the multiplier.
        digits = np.ceil(np.log2(np.maximum(real, 1e-12))) + 32 - bits + shift
        self.real = real
        self.largest = np.int64(1) << (bits - np.clip(_MULTIPLIER_DIGITS - digits, 0, bits).astype(np.int64))
        self.steps = thresholds(rescale) - bias[:, None]
        self.low, self.high = (rescale.acc_lo - bias)[:, None], (rescale.acc_hi - bias)[:, None]
        self.factor, self.multiplier = self.largest.copy(), np.zeros_like(self.largest)
        self.start, self.add = np.zeros_like(self.largest), np.zeros_like(self.largest)
        self.missing = np.flatnonzero(~self._settle_constant())

    def _settle_constant(self) -> IntArray:
        """Channels whose output is the same over their whole range need no weights; which they are."""
        ends = self.rescale.reference(np.stack([self.rescale.acc_lo, self.rescale.acc_hi], axis=1))
        flat = np.asarray(ends[:, 0] == ends[:, 1])
        self.factor[flat], self.multiplier[flat] = 0, 1 << 29
        self.start[flat] = (ends[flat, 0] * 2 + 1) << (self.shift + 2)
        return flat

    def run(self, reduction: int, tries: int) -> None:
        """Multipliers 0, -1, 1, -2, 2, ... from the real value, the factor ``reduction`` below the largest."""
        factor = np.maximum(self.largest - reduction, 1)
        nominal = np.round(self.real * 2.0 ** (32 + self.shift) / factor).astype(np.int64)
        for attempt in range(tries):
            if not len(self.missing):
                return
            nudge = (attempt + 1) // 2 * (-1 if attempt % 2 else 1)
            tried = np.clip(nominal[self.missing] + nudge, 1, (1 << 31) - 1)
            found, start, add = _solve(tried, *self._bounds(tried, factor[self.missing]))
            done = self.missing[found]
            self.factor[done], self.multiplier[done] = factor[done], tried[found]
            self.start[done], self.add[done] = start[found], add[found]
            self.missing = self.missing[~found]

    def _bounds(self, multiplier: IntArray, factor: IntArray) -> tuple[IntArray, IntArray]:
        """Smallest and largest start * multiplier + add * 2**32 that put every step where the reference has it."""
        steps, first, last = self.steps[self.missing], self.low[self.missing], self.high[self.missing]
        m, f = multiplier[:, None], factor[:, None]
        line = (np.arange(steps.shape[1], dtype=np.int64)[None, :] + self.rescale.lo + 1) << (self.shift + 32)
        reached = line - np.maximum(steps, first) * f * m
        before = line - 1 - np.minimum(steps - 1, last) * f * m
        # Steps out of reach on one side leave that side open.
        least = np.where(steps <= last, reached, -_OPEN).max(axis=1)
        most = np.where(steps > first, before, _OPEN).min(axis=1)
        room = np.int64(1) << 50
        most = np.where(most == _OPEN, least + room, most)
        return np.where(least == -_OPEN, most - room, least), most

    def form(self) -> ScaledForm | None:
        if len(self.missing):
            return None
        r = self.rescale
        return ScaledForm(self.multiplier, self.start, self.add, self.factor, self.shift, r.lo, r.hi)


def _solve(m: IntArray, least: IntArray, most: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """(found, start, add) per channel with least <= start * m + add * 2**32 <= most: different starts leave different
    remainders for ``add`` to meet."""
    if (least > most).all():
        return np.zeros(len(m), bool), least, least
    nearest = np.clip(least // m, -_MAX_START, _MAX_START)
    starts = nearest[:, None] - np.arange(2048, dtype=np.int64)[None, :]
    products = starts * m[:, None]
    adds = -((products - least[:, None]) >> 32)
    hits = products + (adds << 32) <= most[:, None]
    at = hits.argmax(axis=1)[:, None]
    pick = np.take_along_axis
    return np.asarray(hits.any(axis=1)), pick(starts, at, 1)[:, 0], pick(adds, at, 1)[:, 0]


def _proven(rescale: Rescale, bias: IntArray, form: ScaledForm, steps: IntArray) -> bool:
    """Whether form and reference agree on both sides of every step and at both ends (then everywhere, both being
    monotone) and nothing leaves int32 on the way."""
    low, high = (rescale.acc_lo - bias)[:, None], (rescale.acc_hi - bias)[:, None]
    points = np.clip(np.concatenate([steps, steps - 1, low, high], axis=1), low, high)
    limit = 1 << 31
    fits = all((np.abs(v) < limit).all() for v in (form.total(points), form.high(points), form.start, form.add))
    return bool(fits and (form.apply(points) == rescale.reference(points + bias[:, None])).all())
