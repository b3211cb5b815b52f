"""Weights as the Helium cores of ``firmware/kernels/tf_matmul_mve_s8.h`` read them: one stream of int32 words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyforge.ir.types import IntArray
from tinyforge.ops.packing_bytes import GROUP, PackedBytes, fits_int8, group_offsets, words
from tinyforge.ops.proofs import SHORT, channel_proof
from tinyforge.ops.requant import Rescale, Rounding, ShortForm, short_form

STEP = 16  # values of one vector instruction


def pack_matmul_mve(weights: IntArray, bias: IntArray, rescale: Rescale) -> PackedBytes | None:
    """The stream for ``weights`` (channels, values) and folded ``bias``; None with fewer channels than a group, weights
    beyond int8, or no short requantisation that is exact."""
    form = short_form(rescale)
    if form is None or len(weights) < GROUP or not fits_int8(weights):
        return None
    parts: list[IntArray] = []
    for offset in group_offsets(len(weights)):
        chosen = slice(offset, offset + GROUP)
        parts += [words(step_vectors(weights[chosen])), group_tables(bias, form, chosen)]
    return PackedBytes(np.concatenate(parts), form.rounding, form.lo, form.hi, channel_proof(SHORT, rescale), "mve")


MOST_TAPS = 64  # windows of a depthwise convolution: four vectors
SCRATCH_LIMIT = 768
"""Bytes of channel planes at most, where blocks of four outputs allow it."""
_MOST_CHANNELS = 4095  # an immediate of the kernel
_TURNED = 8  # channels turned into planes together
_READ_AHEAD = 16  # bytes that windows read behind the last plane


@dataclass(frozen=True, slots=True)
class MvePlanes:
    """Outputs that a fill of the planes serves, bytes of a plane and of the scratch buffer."""

    block: int
    plane: int
    scratch_bytes: int


def plane_layout_mve(kh: int, kw: int, stride: int, width: int, channels: int, limit: int) -> MvePlanes:
    """The largest block that keeps to ``limit``; whole rows of ``width`` outputs where they fit."""
    best = None
    for block in range(min(4, width), width + 1):
        plane = ((block - 1) * stride + kw) * kh
        layout = MvePlanes(block, plane, plane * min(channels, _TURNED) + _READ_AHEAD)
        if best is None or layout.scratch_bytes <= limit:
            best = layout
    assert best is not None
    return best


def pack_depthwise_mve(weights: IntArray, bias: IntArray, rescale: Rescale) -> PackedBytes | None:
    """The stream of ``tf_depthwise_mve_s8.h`` for ``weights`` (KH, KW, channels); None where it has no form."""
    kh, kw, channels = weights.shape
    form = short_form(rescale)
    if form is None or not GROUP <= channels <= _MOST_CHANNELS or kh * kw > MOST_TAPS or not fits_int8(weights):
        return None
    narrow = (form.lo, form.hi) != (-128, 127)
    if narrow and kh * kw <= STEP and form.rounding is Rounding.Q31_SIGNED:
        return None  # a register short
    vectors = -(-kh * kw // STEP)
    padded = np.zeros((channels, vectors * STEP), np.int64)
    padded[:, : kh * kw] = weights.transpose(2, 1, 0).reshape(channels, -1)
    turned = padded.reshape(channels, vectors, STEP)[:, ::-1]
    parts: list[IntArray] = []
    for offset in group_offsets(channels):
        chosen = slice(offset, offset + GROUP)
        parts += [words(turned[chosen]), group_tables(bias, form, chosen)]
    return PackedBytes(np.concatenate(parts), form.rounding, form.lo, form.hi, channel_proof(SHORT, rescale), "mve")


def group_tables(bias: IntArray, form: ShortForm, chosen: slice) -> IntArray:
    """Biases, multipliers, addends and negative shifts of one group. A channel of one output whatever the sum has
    multiplier 0 and no bias, which could be beyond int32."""
    bias = np.where(form.multiplier == 0, 0, bias)
    return np.concatenate([t[chosen] for t in (bias, form.multiplier, form.add, -form.shift)])


def step_vectors(weights: IntArray) -> IntArray:
    """(steps, rows, STEP) of ``weights`` (rows, values): the first step holds the values that the whole steps leave
    over, with zeros behind them."""
    rows, values = weights.shape
    first = values - (values - 1) // STEP * STEP
    padded = np.zeros((rows, -(-values // STEP), STEP), np.int64)
    padded[:, 0, :first] = weights[:, :first]
    padded[:, 1:] = weights[:, first:].reshape(rows, -1, STEP)
    return np.asarray(padded.transpose(1, 0, 2), np.int64)
