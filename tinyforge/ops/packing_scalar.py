"""Weights as the cores of ``firmware/kernels/tf_matmul_scalar_s8.h`` read them: one stream of int32 words."""

from __future__ import annotations

import numpy as np

from tinyforge.ir.types import IntArray
from tinyforge.ops.packing_mve import GROUP, PackedBytes, fits_int8, group_offsets, words
from tinyforge.ops.proofs import SHORT, channel_proof
from tinyforge.ops.requant import Rescale, ShortForm, short_form

WINDOW_KERNEL = "tf_conv2d_scalar_s8"
MOST_COLUMNS, MOST_POSITIONS, OUTPUTS = 7, 13, 4
"""Of a depthwise kernel, of the inputs that the outputs done together read, and these."""
_LEAST_SHIFT = 2  # from which the short form's addend is even


def pack_matmul_scalar(weights: IntArray, bias: IntArray, rescale: Rescale) -> PackedBytes | None:
    """The stream for ``weights`` (channels, values) and folded ``bias``; None with fewer channels than a group, weights
    beyond int8, or no short requantisation that is exact and can be halved."""
    form = _form(rescale) if len(weights) >= GROUP and fits_int8(weights) else None
    if form is None:
        return None
    start, tables = np.where(form.multiplier == 0, 0, bias), _halved(form)
    parts: list[IntArray] = []
    for offset in group_offsets(len(weights)):
        chosen = slice(offset, offset + GROUP)
        parts += [start[chosen], words(weights[chosen].T), tables[chosen].reshape(-1)]
    return PackedBytes(np.concatenate(parts), form.rounding, form.lo, form.hi, channel_proof(SHORT, rescale))


def pack_depthwise_scalar(weights: IntArray, bias: IntArray, rescale: Rescale) -> PackedBytes | None:
    """The table (channels, words) of ``tf_depthwise_scalar_s8.h`` for ``weights`` (KH, KW, channels); None where it has
    no form."""
    form = _form(rescale) if fits_int8(weights) else None
    if form is None:
        return None
    channels = weights.shape[2]
    taps = weights.reshape(-1, channels).T
    padded = np.pad(taps, ((0, 0), (0, -taps.shape[1] % 4)))
    start = np.where(form.multiplier == 0, 0, bias)
    table = np.concatenate([start[:, None], _halved(form), words(padded).reshape(channels, -1)], axis=1)
    return PackedBytes(table, form.rounding, form.lo, form.hi, channel_proof(SHORT, rescale))


def _form(rescale: Rescale) -> ShortForm | None:
    """The short form where it is exact and can be halved."""
    form = short_form(rescale)
    return None if form is None or (form.shift[form.multiplier != 0] < _LEAST_SHIFT).any() else form


def _halved(form: ShortForm) -> IntArray:
    """(channels, 3): multiplier, addend and shift for the plain product, half of what the short form doubles. Channels
    of one output whatever the sum (multiplier 0) keep a bit that absorbs the sign."""
    flat = form.multiplier == 0
    add, shift = np.where(flat, form.add, form.add >> 1), np.where(flat, form.shift, form.shift - 1)
    return np.stack([form.multiplier, add, shift], axis=1)
