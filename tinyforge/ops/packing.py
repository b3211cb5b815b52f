"""Weights as the matrix cores of ``firmware/kernels/tf_matmul_s8.h`` read them: one stream of int32 words."""

from __future__ import annotations

import numpy as np

from tinyforge.ir.types import IntArray
from tinyforge.ops.requant import ShortForm

SUM_SCALE = 256  # the cores' sums are this times the accumulator
STEP = 4  # values of one step


def steps_of(values: int) -> int:
    """Steps of ``values`` inputs."""
    return -(-values // STEP)


def group_offsets(channels: int, group: int) -> list[int]:
    """First channels of the groups in the order of the stream: descending, the last one 0; where ``channels`` is no
    multiple of ``group`` the last two overlap."""
    return [*range(channels - group, 0, -group), 0]


def pack_matmul(
    weights: IntArray, bias: IntArray, form: ShortForm, acc: tuple[IntArray, IntArray], group: int
) -> IntArray | None:
    """The stream for ``weights`` (channels, values) and folded ``bias``; None where the layout cannot hold them: fewer
    channels than a group, weights beyond int8, a pair beyond int16, or sums beyond int32.

    ``acc``: smallest and largest reachable accumulator per channel.
    """
    channels, values = weights.shape
    dead = form.multiplier == 0  # one output whatever the sum, which is made small
    weights, bias = np.where(dead[:, None], 0, weights), np.where(dead, 0, bias)
    if channels < group or not _sums_fit((np.where(dead, 0, acc[0]), np.where(dead, 0, acc[1]))):
        return None
    padded = np.zeros((channels, STEP * steps_of(values)), np.int64)
    padded[:, :values] = weights
    even, odd = padded[:, 0::2], padded[:, 1::2]
    lanes = 256 * even + odd
    if np.abs(weights).max(initial=0) > 128 or weights.max(initial=0) > 127 or lanes.min(initial=0) < -(1 << 15):
        return None
    words = _int32((lanes[:, 0::2] & 0xFFFF) | ((lanes[:, 1::2] & 0xFFFF) << 16))
    start = _int32(SUM_SCALE * (bias - 128 * even.sum(axis=1)) - 255 * odd.sum(axis=1))
    tables = np.stack([form.multiplier, form.add, form.shift], axis=1)
    parts: list[IntArray] = []
    for offset in group_offsets(channels, group):
        chosen = slice(offset, offset + group)
        parts += [start[chosen], words[chosen].T.reshape(-1), np.array([offset]), tables[chosen].reshape(-1)]
    return np.concatenate(parts)


def _sums_fit(acc: tuple[IntArray, IntArray]) -> bool:
    limit = (1 << 31) // SUM_SCALE
    return bool((acc[0] >= -limit).all() and (acc[1] < limit).all())


def _int32(values: IntArray) -> IntArray:
    """Wrapped to int32, as the cores add."""
    return np.asarray(((values + (1 << 31)) & 0xFFFFFFFF) - (1 << 31), np.int64)
