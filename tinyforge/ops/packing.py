"""Weights as the matrix cores of ``firmware/kernels/tf_matmul_s8.h`` read them: one stream of int32 words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyforge.ir.program import KernelCall, Proof
from tinyforge.ir.types import IntArray
from tinyforge.ops.line_requant import LineForm, line_form
from tinyforge.ops.proofs import LINE, SHORT, channel_proof
from tinyforge.ops.requant import Rescale, ShortForm, constant_channels, short_form

SUM_SCALE = 256  # sums of weights in pairs are this times the accumulator
WIDE_SCALES = (128, 64, 32, 16, 8, 4, 2, 1)
"""Tried for weights of 16 bits, the finest first."""
SHORT_WIDE_SCALE = 2  # what the short form multiplies
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
    the ShortForm whose ties round away from zero. ``bits`` of a weight: 8, in pairs, or 16."""

    stream: IntArray
    bits: int
    line: int
    lo: int
    hi: int
    proof: Proof

    def literals(self) -> tuple[tuple[str, int], ...]:
        """The last ones of every kernel on packed weights."""
        return (("bits", self.bits), ("line", self.line), ("lo", self.lo), ("hi", self.hi))


def pack_matmul(weights: IntArray, bias: IntArray, rescale: Rescale, group: int) -> Packed | None:
    """The stream for ``weights`` (channels, values) and folded ``bias``; None where the layout cannot hold them (fewer
    channels than a group, weights beyond int8, a pair beyond int16, sums beyond int32) or no short requantisation is
    exact."""
    form: LineForm | ShortForm | None = line_form(rescale, SUM_SCALE)
    if form is None and rescale.real is None:
        form = short_form(rescale)
    if form is None:
        return None
    lanes = _pairs(weights, bias, rescale, form, group)
    return None if lanes is None else _packed(*lanes, rescale, form, group, 8)


def pack_wide(weights: IntArray, bias: IntArray, rescale: Rescale, group: int) -> Packed | None:
    """The stream of weights of 16 bits, for what ``pack_matmul`` cannot hold: weights in [-255, 255], any pair, larger
    sums. None with fewer channels than a group, or where no short requantisation is exact."""
    if len(weights) < group:
        return None
    weights, bias = _alive(weights, bias, rescale)
    most = int(np.abs(weights).max(initial=1))
    for scale in WIDE_SCALES:
        form = line_form(rescale, scale) if most * scale < 1 << 15 else None
        if form is not None:
            return _packed(*_halves(weights, bias, scale), rescale, form, group, 16)
    short = short_form(rescale) if rescale.real is None else None
    if short is None or most * SHORT_WIDE_SCALE >= 1 << 15:
        return None
    return _packed(*_halves(weights, bias, SHORT_WIDE_SCALE), rescale, short, group, 16)


def is_wide(call: KernelCall) -> bool:
    """Whether the call reads weights of 16 bits."""
    return ("bits", 16) in call.literals


def _alive(weights: IntArray, bias: IntArray, rescale: Rescale) -> tuple[IntArray, IntArray]:
    """Weights and bias, zeros for channels of one output whatever the sum."""
    flat = constant_channels(rescale)
    return np.where(flat[:, None], 0, weights), np.where(flat, 0, bias)


def _pairs(
    weights: IntArray, bias: IntArray, rescale: Rescale, form: LineForm | ShortForm, group: int
) -> tuple[IntArray, IntArray] | None:
    """Start of the sums (channels,) and words (channels, steps, 1) of weights in pairs; None where they do not fit."""
    dead = form.multiplier == 0  # one output whatever the sum, which is made small
    weights, bias = np.where(dead[:, None], 0, weights), np.where(dead, 0, bias)
    if len(weights) < group or not _sums_fit((np.where(dead, 0, rescale.acc_lo), np.where(dead, 0, rescale.acc_hi))):
        return None
    padded = _whole_steps(weights)
    even, odd = padded[:, 0::2], padded[:, 1::2]
    lanes = 256 * even + odd
    if np.abs(weights).max(initial=0) > 128 or weights.max(initial=0) > 127 or lanes.min(initial=0) < -(1 << 15):
        return None
    start = SUM_SCALE * (bias - 128 * even.sum(axis=1)) - 255 * odd.sum(axis=1)
    return start, _words(lanes[:, 0::2], lanes[:, 1::2])[:, :, None]


def _halves(weights: IntArray, bias: IntArray, scale: int) -> tuple[IntArray, IntArray]:
    """The same of weights of 16 bits: words (channels, steps, 2)."""
    padded = _whole_steps(scale * weights)
    words = _words(padded[:, 0::4], padded[:, 2::4]), _words(padded[:, 1::4], padded[:, 3::4])
    return scale * bias, np.stack(words, axis=2)


def _whole_steps(weights: IntArray) -> IntArray:
    channels, values = weights.shape
    padded = np.zeros((channels, STEP * steps_of(values)), np.int64)
    padded[:, :values] = weights
    return padded


def _words(low: IntArray, high: IntArray) -> IntArray:
    return _int32((low & 0xFFFF) | ((high & 0xFFFF) << 16))


def _packed(
    start: IntArray, words: IntArray, rescale: Rescale, form: LineForm | ShortForm, group: int, bits: int
) -> Packed:
    """The stream: for each group its starts, its words step by step, its first channel, its tables."""
    line = form.shift if isinstance(form, LineForm) else 0
    if isinstance(form, LineForm):
        start, tables = start + form.nudge, np.stack([form.multiplier, form.add], axis=1)
    else:
        tables = np.stack([form.multiplier, form.add, form.shift], axis=1)
    start = _int32(start)
    parts: list[IntArray] = []
    for offset in group_offsets(len(start), group):
        chosen = slice(offset, offset + group)
        parts += [start[chosen], words[chosen].transpose(1, 2, 0).reshape(-1), np.array([offset])]
        parts.append(tables[chosen].reshape(-1))
    proof = channel_proof(LINE if line else SHORT, rescale)
    return Packed(np.concatenate(parts), bits, line, rescale.lo, rescale.hi, proof)


def slice_stream(stream: IntArray, channels: int, values: int, group: int, bits: int, slices: int) -> IntArray | None:
    """A packed stream as those of ``slices`` equal shares of its channels, one after the other, each as if there were
    no others; None where a share is no multiple of ``group``. ``values`` and ``bits``: of a channel, of a weight."""
    if channels % (group * slices):
        return None
    rising = stream.reshape(channels // group, -1)[::-1].copy()
    rising[:, group * (1 + steps_of(values) * bits // 8)] %= channels // slices
    shares = rising.reshape(slices, channels // group // slices, -1)
    return np.asarray(shares[:, ::-1].reshape(-1), np.int64)


def _sums_fit(acc: tuple[IntArray, IntArray]) -> bool:
    limit = (1 << 31) // SUM_SCALE
    return bool((acc[0] >= -limit).all() and (acc[1] < limit).all())


def _int32(values: IntArray) -> IntArray:
    """Wrapped to int32, as the cores add."""
    return np.asarray(((values + (1 << 31)) & 0xFFFFFFFF) - (1 << 31), np.int64)
