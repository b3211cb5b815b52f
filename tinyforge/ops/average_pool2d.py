"""AVERAGE_POOL_2D: int8, any window, stride and explicit padding; divides by the number of valid positions.

The division is a multiplication by a reciprocal that is proven exact here, at compile time (``reciprocal``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyforge.ir.graph import Tensor
from tinyforge.ir.program import KernelCall, Proof, RowInput, Table
from tinyforge.ir.types import Array, IntArray
from tinyforge.ir.window import IDENTITY, Window
from tinyforge.ops.base import Piece, activation_range, require
from tinyforge.ops.pool2d import Pool2D
from tinyforge.ops.reduction import SUM_BYTES

MAX_COUNT = 1 << 20
"""More positions than this under one window are refused; sums stay far inside int32 up to here."""


def rounded_mean(total: IntArray, count: IntArray) -> IntArray:
    """total / count rounded to nearest, ties away from zero, as the reference's integer arithmetic does it."""
    half = count // 2
    return np.where(total > 0, (total + half) // count, -((half - total) // count))


def reciprocal(count: int, shift: int) -> int | None:
    """m with floor(n / count) == n * m >> shift for every n that the kernel meets, None when that is not so.

    n = sum(x + 128) + count // 2 is in [0, 255 * count + count // 2]. With m = ceil(2**shift / count) and
    e = m * count - 2**shift, n * m / 2**shift = n / count + n * e / (count * 2**shift); the floor is right as long as
    the excess is below 1 / count, that is n * e < 2**shift. m must fit into 32 bits, and n * m for shift 24 (uint32).
    """
    multiplier = -(-(1 << shift) // count)
    largest = 255 * count + count // 2
    exact = largest * (multiplier * count - (1 << shift)) < 1 << shift
    fits = multiplier < 1 << 32 and (shift > 31 or largest * multiplier < 1 << 32)
    return multiplier if exact and fits else None


def reciprocals(counts: Sequence[int]) -> tuple[int, list[int]]:
    """(shift, one multiplier per count); the shift is common: 24 where 32-bit products do, else up to 52."""
    for shift in (24, *range(32, 53)):
        found = [m for m in (reciprocal(count, shift) for count in counts) if m is not None]
        if len(found) == len(counts):
            return shift, found
    raise AssertionError(f"no exact reciprocal for counts {min(counts)}..{max(counts)}")


def _reciprocal_proof(most: int) -> Proof:
    """The quotient is exact for every sum of up to ``most`` values, by the bound that ``reciprocal`` checks."""
    return Proof("exact reciprocal for the division", 0, -128 * most, 127 * most)


@dataclass(frozen=True, slots=True)
class AveragePool2D(Pool2D):
    """The mean of the valid positions, rounded to nearest, then the activation's clamp. Ties go away from zero, or up
    in networks that were uint8 (``round_half_up``: the reference rounds those on unsigned values)."""

    round_half_up: bool = False
    kind: ClassVar[str] = "average_pool2d"

    def check(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> None:
        Pool2D.check(self, ins, outs)
        area = self.size[0] * self.size[1]
        require(area <= MAX_COUNT, f"average_pool2d: a window of {area} positions; the limit is {MAX_COUNT}")

    def compute(
        self, pieces: Sequence[Piece], ins: Sequence[Tensor], outs: Sequence[Tensor], window: Window
    ) -> list[Array]:
        outside = -(1 << 20)  # marks padding; no sum is involved
        total = np.zeros((window.rows.size, window.cols.size, ins[0].shape[3]), np.int64)
        count = np.zeros_like(total)
        for tap in self.taps(pieces[0], outside, window):
            valid = tap != outside
            total += np.where(valid, tap, 0)
            count += valid
        mean = (total + count // 2) // count if self.round_half_up else rounded_mean(total, count)
        return self.clamped(mean, outs)

    def accumulates(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> bool:
        return self.size == ins[0].shape[1:3] and self.padding == (0, 0, 0, 0) and outs[0].shape[1:3] == (1, 1)

    def _lower_global(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> KernelCall:
        count, channels = self.size[0] * self.size[1], ins[0].shape[3]
        shift, multipliers = reciprocals([count])
        lo, hi = activation_range(self.activation, outs[0].type)
        return KernelCall(
            kernel="tf_global_average_s8",
            header="tf_global_average_s8.h",
            form="reduce",
            inputs=(RowInput(0, 1, IDENTITY, IDENTITY),),
            tables=(Table("reciprocal", "uint32_t", np.array(multipliers, np.uint32)),),
            literals=(
                ("channels", channels),
                ("count", count),
                ("shift", shift),
                ("half_up", int(self.round_half_up)),
                ("lo", lo),
                ("hi", hi),
            ),
            scratch_bytes=SUM_BYTES * channels,
            proofs=(_reciprocal_proof(count),),
        )

    def least_scratch(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> int:
        return SUM_BYTES * ins[0].shape[3] if self.accumulates(ins, outs) else 0

    def lower(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> KernelCall:
        if self.accumulates(ins, outs):
            return self._lower_global(ins, outs)
        rows = set(self.valid_counts(0, ins[0].shape[1], outs[0].shape[1]))
        cols = set(self.valid_counts(1, ins[0].shape[2], outs[0].shape[2]))
        counts = sorted({r * c for r in rows for c in cols})
        shift, multipliers = reciprocals(counts)
        table = np.zeros(counts[-1] - counts[0] + 1, np.uint32)
        table[[c - counts[0] for c in counts]] = multipliers
        return KernelCall(
            kernel="tf_average_pool_s8",
            header="tf_average_pool_s8.h",
            form="rows",
            inputs=self.row_input(),
            tables=(Table("reciprocal", "uint32_t", table),),
            literals=(
                *self.shape_literals(ins, outs),
                ("least_count", counts[0]),
                ("most_count", counts[-1]),
                ("shift", shift),
                ("half_up", int(self.round_half_up)),
            ),
            proofs=(_reciprocal_proof(counts[-1]),),
        )
