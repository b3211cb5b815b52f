"""Requantisation of scaled sums by one line: out = clamp((add + ((sum * multiplier + 2**31) >> 32)) >> shift).

``sum`` is ``scale`` times the accumulator, plus a small ``nudge``; the shift is the same for all channels, so that it
goes into the saturating instruction: two instructions an output, whatever the reference's own shifts and roundings
are. The line exists where all outputs that matter lie on one side of the zero point (there the reference rounds one
way), and for FULLY_CONNECTED, which rounds once.

Per channel the reference's thresholds T(k) leave an interval for the line's offset: it must reach k at T(k) and not at
T(k) - 1. ``add`` is too coarse to hit a narrow interval; ``nudge`` steps of multiplier / 2**32 fill the gaps, since
their fractional parts are spread evenly. A channel without a solution fails the form: the result is exact or None.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyforge.ir.types import IntArray
from tinyforge.ops.requant import Rescale, constant_channels, thresholds

SHIFTS = (12, 14, 10, 8)  # those the kernels are written for; 14 where 12 is too coarse, the others for large factors
_NUDGES = np.arange(4096, dtype=np.int64)
_SLOPES = (0, 1, -1)  # tried on a multiplier: thresholds far from zero miss by less than its last bit
_UNREACHED = np.int64(1) << 60

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class LineForm:
    """Tables of a proven line, one entry per channel, for sums of ``scale`` times the accumulator plus ``nudge``."""

    multiplier: IntArray
    add: IntArray
    nudge: IntArray
    shift: int
    scale: int
    lo: int
    hi: int

    def apply(self, acc: IntArray) -> IntArray:
        """What the C computes, for accumulators (channels, n)."""
        acc = np.where(self.multiplier[:, None] == 0, 0, acc)  # any sum: the products below would overflow int64
        high = ((self.scale * acc + self.nudge[:, None]) * self.multiplier[:, None] + (1 << 31)) >> 32
        return np.asarray(np.clip((self.add[:, None] + high) >> self.shift, self.lo, self.hi), np.int64)


def line_form(rescale: Rescale, scale: int) -> LineForm | None:
    """A proven line, or None: outputs on both sides of the zero point that round away from it, multipliers out of
    range, sums beyond int32, or a channel without a solution."""
    if rescale.real is None and rescale.lo < rescale.zero:
        return None
    flat = constant_channels(rescale)
    reach = np.where(flat, 0, np.maximum(np.abs(rescale.acc_lo), np.abs(rescale.acc_hi)))
    if (reach >= ((1 << 31) - len(_NUDGES)) // scale).any():
        return None
    steps = thresholds(rescale)
    forms = (_solve(rescale, steps, flat, scale, shift) for shift in SHIFTS)
    return next((form for form in forms if form is not None), None)


def _solve(r: Rescale, steps: IntArray, flat: np.ndarray, scale: int, shift: int) -> LineForm | None:
    factor = r.real if r.real is not None else r.multiplier * np.exp2(r.shift.astype(np.float64) - 31)
    reach = np.maximum(np.abs(r.acc_lo), np.abs(r.acc_hi))
    fits = (factor * 2.0 ** (32 + shift) / scale < (1 << 31) - 1) & ((reach * factor + 256) * 2.0**shift < 1 << 31)
    if not (fits | flat).all():
        return None
    nearest = np.where(flat, 0, np.rint(factor * 2.0 ** (32 + shift) / scale)).astype(np.int64)
    multiplier, add, nudge = nearest, np.zeros_like(nearest), np.zeros_like(nearest)
    unsolved = ~flat
    for slope in _SLOPES:
        tried = nearest + slope
        solved, its_add, its_nudge = _intercepts(tried, *_offsets(r, steps, tried, scale, shift))
        chosen = unsolved & solved
        multiplier, add = np.where(chosen, tried, multiplier), np.where(chosen, its_add, add)
        nudge = np.where(chosen, its_nudge, nudge)
        unsolved &= ~solved
        if not unsolved.any():
            break
    else:
        return None
    constant = r.reference(r.acc_lo[:, None])[:, 0] << shift
    form = LineForm(multiplier, np.where(flat, constant, add), nudge, shift, scale, r.lo, r.hi)
    return form if _proven(r, steps, form) else None


def _intercepts(multiplier: IntArray, low: IntArray, high: IntArray) -> tuple[Mask, IntArray, IntArray]:
    """Whether some offset = nudge * multiplier + 2**31 + add * 2**32 lies in [low, high), and the add and nudge of the
    one with most room on both sides."""
    base = _NUDGES[None, :] * multiplier[:, None] + (1 << 31)
    add = (high[:, None] - 1 - base) >> 32
    offset = base + (add << 32)
    room = np.minimum(offset - low[:, None], high[:, None] - 1 - offset)
    best = np.argmax(room, axis=1)
    rows = np.arange(len(multiplier))
    return room[rows, best] >= 0, add[rows, best], _NUDGES[best]


def _offsets(r: Rescale, steps: IntArray, multiplier: IntArray, scale: int, shift: int) -> tuple[IntArray, IntArray]:
    """[low, high) of the offset, in units of 2**-32, that puts every step of the line where the reference has it."""
    target = np.arange(r.lo + 1, r.hi + 1, dtype=np.int64)[None, :] << (shift + 32)
    slope = scale * multiplier[:, None]
    real = (steps > r.acc_lo[:, None]) & (steps <= r.acc_hi[:, None])
    always, never = steps <= r.acc_lo[:, None], steps > r.acc_hi[:, None]
    # A step below the range must be passed at its lower end, one above it not reached at its upper end.
    low = np.where(real, target - steps * slope, -_UNREACHED)
    low = np.where(always, target - r.acc_lo[:, None] * slope, low).max(axis=1, initial=-_UNREACHED)
    high = np.where(real, target - (steps - 1) * slope, _UNREACHED)
    high = np.where(never, target - r.acc_hi[:, None] * slope, high).min(axis=1, initial=_UNREACHED)
    return np.asarray(low, np.int64), np.asarray(high, np.int64)


def _proven(r: Rescale, steps: IntArray, form: LineForm) -> bool:
    """Form and reference agree on both sides of every step and at both ends of the range."""
    points = np.concatenate([steps, steps - 1, r.acc_lo[:, None], r.acc_hi[:, None]], axis=1)
    points = np.clip(points, r.acc_lo[:, None], r.acc_hi[:, None])
    return bool((form.apply(points) == r.reference(points)).all())
