"""Weights as the cores of ``firmware/kernels/tf_matmul_scalar_s8.h`` read them: one stream of int32 words."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from tinyforge.ir.types import IntArray
from tinyforge.ops.packing_bytes import GROUP, PackedBytes, fits_int8, group_offsets, words
from tinyforge.ops.proofs import SHORT, channel_proof
from tinyforge.ops.requant import Rescale, ShortForm, short_form

SCRATCH_LIMIT = 640
"""Bytes of gathered inputs of a depthwise convolution at most, where four channels take no more."""
_MOST_COLUMNS, _MOST_POSITIONS = 7, 13  # of a depthwise kernel; that the outputs done together read
_SPILLED = {5: 40, 4: 0, 3: 0}
"""Outputs together, and instructions that their sums cost where there are too few registers for them."""
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
    return _packed(np.concatenate(parts), form, rescale)


@dataclass(frozen=True, slots=True)
class Block:
    """Outputs of a depthwise convolution done together, and the channels whose inputs are gathered together."""

    at_once: int
    slice: int
    scratch_bytes: int


def depthwise_block(kh: int, kw: int, stride: int, widths: Collection[int], channels: int) -> Block | None:
    """The fastest block for row segments of ``widths`` outputs, with as many of ``channels`` as keep to the limit of
    scratch, or four; none are gathered where there are none. None where the kernel has too many columns."""
    fitting = [n for n in _SPILLED if (n - 1) * stride + kw <= _MOST_POSITIONS]
    if kw > _MOST_COLUMNS or not fitting:
        return None

    def cost(n: int) -> int:
        columns = (n - 1) * stride + kw
        return sum(-(-width // n) for width in widths) * (kh * (kw + columns + n * kw + 3) + 8 * n + _SPILLED[n])

    at_once = min(fitting, key=cost)
    channel = kh * ((at_once - 1) * stride + kw)
    together = min(channels, max(4, SCRATCH_LIMIT // channel // 4 * 4))
    return Block(at_once, together, channel * together)


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
    return _packed(table, form, rescale)


def _packed(stream: IntArray, form: ShortForm, rescale: Rescale) -> PackedBytes:
    return PackedBytes(stream, form.rounding, form.lo, form.hi, channel_proof(SHORT, rescale), "scalar")


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
