"""Log-mel features in fixed point: what ``firmware/include/tf_log_mel.h`` computes, integer for integer.

It follows ``log_mel`` of ``logmel`` to a few thousandths. Networks are trained on these features, so that what they see
on the board is what they learnt from.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyforge.ir.types import Array
from tinyforge.search.logmel import FLOOR, FrontEnd, hann, mel_weights

Int64 = npt.NDArray[np.int64]

HEADROOM = 30
"""Bits that a value of the transform stays within."""
POWER_SHIFT = 12
"""Bits of a power that are dropped, so that the energy of a band fits 64 bits."""
LN2_Q16 = 45426


@dataclass(frozen=True, slots=True, eq=False)
class FixedFrontEnd:
    """The tables of a front end; names and formats as in ``tf_log_mel``."""

    front: FrontEnd
    fraction: int
    hann: Int64
    twiddles: Int64
    first: tuple[int, ...]
    count: tuple[int, ...]
    weights: tuple[Int64, ...]
    floor: int
    log2_table: Int64
    offset: int


def fixed_front_end(front: FrontEnd) -> FixedFrontEnd:
    """Tables for ``front``."""
    size = front.size
    fraction = HEADROOM - 15 - front.size_log2
    angles = 2 * np.pi * np.arange(size // 2) / size
    twiddles = np.stack([np.cos(angles), -np.sin(angles)], 1)
    bands = np.rint(mel_weights(front) * 2**15).astype(np.int64)
    used = [np.flatnonzero(column) for column in bands.T]
    first = tuple(int(bins[0]) if len(bins) else 0 for bins in used)
    count = tuple(int(bins[-1] - bins[0] + 1) if len(bins) else 0 for bins in used)
    unit = front.window * 2.0 ** (30 + 2 * fraction + 15 - POWER_SHIFT)
    return FixedFrontEnd(
        front=front,
        fraction=fraction,
        hann=np.rint(hann(front.window) * 2**15).astype(np.int64),
        twiddles=np.rint(twiddles * 2**30).astype(np.int64),
        first=first,
        count=count,
        weights=tuple(bands[a : a + n, band] for band, (a, n) in enumerate(zip(first, count, strict=True))),
        floor=max(1, round(FLOOR * unit)),
        log2_table=np.rint(np.log2(1 + np.arange(129) / 128) * 65536).astype(np.int64),
        offset=round(math.log(unit) * 65536),
    )


def fixed_log_mel(pcm: Array, fixed: FixedFrontEnd) -> Int64:
    """(frames, bands) features, Q16, of int16 samples; missing ones are silence."""
    front = fixed.front
    needed = front.window + (front.frames - 1) * front.hop
    wave = np.zeros(needed, np.int64)
    wave[: min(needed, len(pcm))] = pcm[:needed]
    starts = np.arange(front.frames) * front.hop
    shift = 15 - fixed.fraction
    data = np.zeros((front.frames, front.size), np.int64)
    windows = wave[starts[:, None] + np.arange(front.window)] * fixed.hann
    data[:, : front.window] = (windows + (1 << (shift - 1))) >> shift
    real, imaginary = _transform(data, fixed)
    power = (real * real + imaginary * imaginary) >> POWER_SHIFT
    features = [_band(power, fixed, band) for band in range(front.bands)]
    return np.stack(features, 1)


def _transform(data: Int64, fixed: FixedFrontEnd) -> tuple[Int64, Int64]:
    """Real and imaginary parts (frames, size) of the radix-2 transform of ``data``."""
    size = data.shape[1]
    order = _reversed_bits(size)
    real, imaginary = data[:, order], np.zeros_like(data)
    half = 1
    while half < size:
        w = fixed.twiddles[:: size // (2 * half)][:half]
        re, im = (part.reshape(len(data), -1, 2, half) for part in (real, imaginary))
        turned_re = _times(re[:, :, 1], w[:, 0]) - _times(im[:, :, 1], w[:, 1])
        turned_im = _times(re[:, :, 1], w[:, 1]) + _times(im[:, :, 1], w[:, 0])
        real = np.stack([re[:, :, 0] + turned_re, re[:, :, 0] - turned_re], 2).reshape(data.shape)
        imaginary = np.stack([im[:, :, 0] + turned_im, im[:, :, 0] - turned_im], 2).reshape(data.shape)
        half *= 2
    return real, imaginary


def _reversed_bits(size: int) -> npt.NDArray[np.intp]:
    order = np.zeros(1, np.intp)
    while len(order) < size:
        order = np.concatenate([2 * order, 2 * order + 1])
    return order


def _times(a: Int64, b: Int64) -> Int64:
    return np.asarray((a * b + (1 << 29)) >> 30)


def _band(power: Int64, fixed: FixedFrontEnd, band: int) -> Int64:
    first, count = fixed.first[band], fixed.count[band]
    energy = power[:, first : first + count] @ fixed.weights[band] + fixed.floor
    return np.asarray(((_log2(energy, fixed.log2_table) * LN2_Q16 + 32768) >> 16) - fixed.offset)


def _log2(energy: Int64, table: Int64) -> Int64:
    """Q16, of positive integers below 2^63."""
    whole = np.asarray([int(e).bit_length() - 1 for e in energy.tolist()])
    # The bit below the highest ones: as unsigned, for a highest bit at 63 is a sign otherwise.
    top = energy.astype(np.uint64) << (63 - whole).astype(np.uint64)
    index = ((top >> np.uint64(56)) & np.uint64(127)).astype(np.int64)
    part = ((top >> np.uint64(40)) & np.uint64(0xFFFF)).astype(np.int64)
    rise = table[index + 1] - table[index]
    return np.asarray(whole * 65536 + table[index] + ((rise * part + 32768) >> 16))


@dataclass(frozen=True, slots=True)
class FeatureQuant:
    """From a Q16 feature to int8: (feature - mean) * multiplier / 2^shift + zero, rounded half up."""

    mean: int
    multiplier: int
    shift: int
    zero: int

    def apply(self, features: Int64) -> Array:
        """int8 of the same shape."""
        scaled = (features - self.mean) * self.multiplier
        rounded = ((scaled + (1 << (self.shift - 1))) >> self.shift) + self.zero
        return np.asarray(np.clip(rounded, -128, 127).astype(np.int8))


def feature_quant(mean: Sequence[float], std: Sequence[float], scale: float, zero: int) -> FeatureQuant:
    """For a network that takes (feature - mean) / std, quantised by ``scale`` and ``zero``."""
    real = 1 / (65536 * std[0] * scale)
    exponent = math.frexp(real)[1]
    shift = 31 - exponent
    return FeatureQuant(round(mean[0] * 65536), min(round(real * 2.0**shift), 2**31 - 1), shift, zero)
