"""Packing of depthwise convolutions for ``tf_depthwise_planar_s8``: constants per channel and the planes' geometry."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyforge.ir.program import Proof, Table
from tinyforge.ir.types import IntArray
from tinyforge.ops.proofs import FULL, SCALED, SHORT, channel_proof
from tinyforge.ops.requant import Rescale, short_form
from tinyforge.ops.scaled_requant import scaled_form

SCRATCH_LIMIT = 640
"""Bytes of planes at most, where blocks of four outputs allow it."""
MAX_ROWS = 32
AT_ONCE = 4
"""Channels turned into planes together."""
_SCALED, _SHORT, _FULL = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Planes:
    """How many outputs a fill of the planes serves and how a plane is laid out, in 32-bit words."""

    block: int
    plane: int
    par: int
    scratch_bytes: int


def plane_layout(
    kh: int, kw: int, stride: int, width: int, channels: int, pad_left: int, limit: int = SCRATCH_LIMIT
) -> Planes:
    """The largest block that keeps to ``limit``; whole rows of ``width`` outputs where they fit."""
    par = pad_left & 1  # the tensor's columns then begin at an even position
    best = None
    for block in range(4, -(-width // 4) * 4 + 1, 4):
        pairs = (par + (block - 1) * stride + kw + 1) // 2 + 1
        layout = Planes(block, pairs * kh, par, 4 * pairs * kh * min(channels, AT_ONCE))
        if best is None or layout.scratch_bytes <= limit:
            best = layout
    assert best is not None
    return best


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """The constants table (channels, words) and the literals that say how to read it."""

    table: Table
    form: int
    shift: int
    rounding: int
    proof: Proof


def pack_constants(w: IntArray, bias: IntArray, rescale: Rescale, stride: int, par: int) -> Packed:
    """w (KH, KW, channels) in [-255, 255]; ``bias``: input zero point folded in, as the accumulators of ``rescale``.
    Takes the shortest requantisation that is proven exact."""
    flat = w.reshape(-1, w.shape[2])
    wide = int(np.abs(flat).max(initial=0) > 128)  # asymmetric weights need a bit more
    most_bits = min(8, 16 - int(np.ceil(np.log2(max(2, flat.shape[0]))))) - wide
    scaled = scaled_form(rescale, bias, most_bits)
    if scaled is not None:
        tail = [scaled.start, scaled.multiplier, scaled.add]
        lanes = _weight_words(w * scaled.factor[None, None, :], stride, par)
        return Packed(_table(lanes, tail), _SCALED, scaled.shift, 0, channel_proof(SCALED, rescale))
    short = short_form(rescale)
    if short is not None:
        tail = [2 * bias, short.multiplier, short.add, short.shift]
        table = _table(_weight_words(2 * w, stride, par), tail)
        return Packed(table, _SHORT, 0, short.rounding.value, channel_proof(SHORT, rescale))
    tail = [bias, rescale.multiplier, rescale.shift]
    return Packed(_table(_weight_words(w, stride, par), tail), _FULL, 0, 0, channel_proof(FULL, rescale))


def _weight_words(w: IntArray, stride: int, par: int) -> list[IntArray]:
    """Words of two lanes, one array of channels each: row pairs, then the single row in the kinds that occur."""
    kh, kw, _ = w.shape
    words = [_lanes(w[k, x], w[k + 1, x]) for k in range(0, kh - 1, 2) for x in range(kw)]
    zero = np.zeros_like(w[0, 0])
    if kh % 2 and kw == 3:
        words += [_lanes(w[-1, 0], w[-1, 1]), _lanes(w[-1, 1], w[-1, 2])]
    elif kh % 2:
        kinds = (0, 1) if stride % 2 else (par,)
        for kind in kinds:
            row = [zero] * kind + list(w[-1])
            row += [zero] * (len(row) % 2)
            words += [_lanes(row[i], row[i + 1]) for i in range(0, len(row), 2)]
    return words


def _lanes(low: IntArray, high: IntArray) -> IntArray:
    """Two int16 as one int32, ``low`` in bits 0..15."""
    word = (low & 0xFFFF) | ((high & 0xFFFF) << 16)
    return np.asarray(np.where(word >= 1 << 31, word - (1 << 32), word), np.int64)


def _table(words: list[IntArray], tail: list[IntArray]) -> Table:
    return Table("constants", "int32_t", np.stack([*words, *tail], axis=1), 8)
