"""Weights as the matrix cores of ``firmware/kernels/tf_matmul_s8.h`` read them: one stream of int32 words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyforge.ir.program import Proof
from tinyforge.ir.types import IntArray
from tinyforge.ops.line_requant import LineForm, line_form
from tinyforge.ops.proofs import LINE, SHORT, channel_proof
from tinyforge.ops.requant import Rescale, ShortForm, short_form

SUM_SCALE = 256  # the cores' sums are this times the accumulator
STEP = 4  # values of one step


def steps_of(values: int) -> int:
    """Steps of ``values`` inputs."""
    return -(-values // STEP)


def group_offsets(channels: int, group: int) -> list[int]:
    """First channels of the groups in the order of the stream: descending, the last one 0; where ``channels`` is no
    multiple of ``group`` the last two overlap."""
    return [*range(channels - group, 0, -group), 0]


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """A stream and the literals that say how the cores finish its sums: ``line`` is the shift of a LineForm, or 0 for
    the ShortForm whose ties round away from zero."""

    stream: IntArray
    line: int
    lo: int
    hi: int
    proof: Proof


def pack_matmul(weights: IntArray, bias: IntArray, rescale: Rescale, group: int) -> Packed | None:
    """The stream for ``weights`` (channels, values) and folded ``bias``; None where the layout cannot hold them (fewer
    channels than a group, weights beyond int8, a pair beyond int16, sums beyond int32) or no short requantisation is
    exact."""
    form: LineForm | ShortForm | None = line_form(rescale, SUM_SCALE)
    if form is None and rescale.real is None:
        form = short_form(rescale)
    if form is None:
        return None
    line = form.shift if isinstance(form, LineForm) else 0
    stream = _stream(weights, bias, rescale, form, group)
    if stream is None:
        return None
    return Packed(stream, line, rescale.lo, rescale.hi, channel_proof(LINE if line else SHORT, rescale))


def _stream(
    weights: IntArray, bias: IntArray, rescale: Rescale, form: LineForm | ShortForm, group: int
) -> IntArray | None:
    channels, values = weights.shape
    dead = form.multiplier == 0  # one output whatever the sum, which is made small
    weights, bias = np.where(dead[:, None], 0, weights), np.where(dead, 0, bias)
    if channels < group or not _sums_fit((np.where(dead, 0, rescale.acc_lo), np.where(dead, 0, rescale.acc_hi))):
        return None
    padded = np.zeros((channels, STEP * steps_of(values)), np.int64)
    padded[:, :values] = weights
    even, odd = padded[:, 0::2], padded[:, 1::2]
    lanes = 256 * even + odd
    if np.abs(weights).max(initial=0) > 128 or weights.max(initial=0) > 127 or lanes.min(initial=0) < -(1 << 15):
        return None
    words = _int32((lanes[:, 0::2] & 0xFFFF) | ((lanes[:, 1::2] & 0xFFFF) << 16))
    start = SUM_SCALE * (bias - 128 * even.sum(axis=1)) - 255 * odd.sum(axis=1)
    if isinstance(form, LineForm):
        start, tables = start + form.nudge, np.stack([form.multiplier, form.add], axis=1)
    else:
        tables = np.stack([form.multiplier, form.add, form.shift], axis=1)
    start = _int32(start)
    parts: list[IntArray] = []
    for offset in group_offsets(channels, group):
        chosen = slice(offset, offset + group)
        parts += [start[chosen], words[chosen].T.reshape(-1), np.array([offset]), tables[chosen].reshape(-1)]
    return np.concatenate(parts)


def slice_stream(stream: IntArray, channels: int, values: int, group: int, slices: int) -> IntArray | None:
    """A stream of ``_stream`` as those of ``slices`` equal shares of its channels, one after the other, each as if
    there were no others; None where a share is no multiple of ``group``."""
    if channels % (group * slices):
        return None
    rising = stream.reshape(channels // group, -1)[::-1].copy()
    rising[:, group * (1 + steps_of(values))] %= channels // slices
    shares = rising.reshape(slices, channels // group // slices, -1)
    return np.asarray(shares[:, ::-1].reshape(-1), np.int64)


def _sums_fit(acc: tuple[IntArray, IntArray]) -> bool:
    limit = (1 << 31) // SUM_SCALE
    return bool((acc[0] >= -limit).all() and (acc[1] < limit).all())


def _int32(values: IntArray) -> IntArray:
    """Wrapped to int32, as the cores add."""
    return np.asarray(((values + (1 << 31)) & 0xFFFFFFFF) - (1 << 31), np.int64)
