"""RESIZE_NEAREST_NEIGHBOR: source rows and columns found at compile time with the reference's float32 arithmetic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyforge.ir.fixed_point import round_half_away
from tinyforge.ir.graph import Tensor
from tinyforge.ir.program import KernelCall, RowInput, Table
from tinyforge.ir.types import Array
from tinyforge.ir.window import AxisMap, Interval, Window
from tinyforge.ops.base import Op, Piece, require
from tinyforge.ops.movement import cut, pixel_bytes, require_same_dtype

MAX_PICKS = 16
"""Most source rows a row may have to choose from; only align_corners with half_pixel_centers needs more than two."""


@dataclass(frozen=True, slots=True)
class ResizeNearestNeighbor(Op):
    """Attributes: size (rows, cols) of the output, align_corners, half_pixel_centers."""

    size: tuple[int, int]
    align_corners: bool = False
    half_pixel_centers: bool = False
    kind: ClassVar[str] = "resize_nearest_neighbor"

    def infer(self, ins: Sequence[Tensor]) -> tuple[tuple[int, ...], ...]:
        shape = ins[0].shape
        require(len(shape) == 4, f"resize_nearest_neighbor: rank 4 is needed, not {shape}")
        require(min(self.size) > 0, f"resize_nearest_neighbor: size {self.size}")
        return ((shape[0], *self.size, shape[3]),)

    def check(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> None:
        require_same_dtype([ins[0], outs[0]], "resize_nearest_neighbor")
        require(ins[0].shape[0] == 1, "resize_nearest_neighbor: batch must be 1")
        require(max(ins[0].shape[1:3]) < 1 << 16, "resize_nearest_neighbor: more than 65,535 rows or columns")

    def sources(self, in_size: int, out_size: int) -> list[int]:
        """Source index of each output index along one axis (GetNearestNeighbor, float32)."""
        one = np.float32
        if self.align_corners and out_size > 1:
            scale = one(in_size - 1) / one(out_size - 1)
        else:
            scale = one(in_size) / one(out_size)
        offset = one(0.5 if self.half_pixel_centers else 0.0)
        rounding = round_half_away if self.align_corners else math.floor
        found = [rounding(float((one(i) + offset) * scale)) for i in range(out_size)]
        return [max(0, min(n, in_size - 1)) for n in found]

    def _axis(self, in_size: int, out_size: int) -> tuple[AxisMap, list[int]]:
        """Map along one axis and, for each output index, how far its source lies behind the map's first index."""
        half = 1 if self.half_pixel_centers else 0
        if self.align_corners and out_size > 1:  # round((i + half/2) * n / d) = floor(((2i + half) * n + d) / 2d)
            n, d = in_size - 1, out_size - 1
            num, lo, den = 2 * n, half * n + d, 2 * d
        else:
            num, lo, den = 2 * in_size, half * in_size + (out_size if self.align_corners else 0), 2 * out_size
        common = math.gcd(math.gcd(num, den), lo) or 1
        num, lo, den = num // common, lo // common, den // common
        off = [s - (i * num + lo) // den for i, s in enumerate(self.sources(in_size, out_size))]
        lo += min(off) * den
        return AxisMap(num, den, lo, lo + (max(off) - min(off)) * den), [o - min(off) for o in off]

    def axes(self, ins: Sequence[Tensor], outs: Sequence[Tensor], index: int) -> tuple[AxisMap, AxisMap] | None:
        shape = ins[0].shape
        return self._axis(shape[1], self.size[0])[0], self._axis(shape[2], self.size[1])[0]

    def compute(
        self, pieces: Sequence[Piece], ins: Sequence[Tensor], outs: Sequence[Tensor], window: Window
    ) -> list[Array]:
        rows = self.sources(ins[0].shape[1], self.size[0])[window.rows.lo : window.rows.hi]
        cols = self.sources(ins[0].shape[2], self.size[1])[window.cols.lo : window.cols.hi]
        part = cut(pieces[0], Interval(min(rows), max(rows) + 1), Interval(min(cols), max(cols) + 1))
        picked = part[:, np.array(rows) - min(rows)][:, :, np.array(cols) - min(cols)]
        return [np.ascontiguousarray(picked)]

    def lower(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> KernelCall:
        height, width, _ = ins[0].type.hwc
        rows, picks = self._axis(height, self.size[0])
        cols, _ = self._axis(width, self.size[1])
        columns = Table("columns", "uint16_t", np.array(self.sources(width, self.size[1]), np.int64))
        irregular = max(picks) > 0
        require(max(picks) < MAX_PICKS, f"resize_nearest_neighbor: {height} to {self.size[0]} rows is too irregular")
        kernel = "tf_resize_nearest_pick" if irregular else "tf_resize_nearest"
        return KernelCall(
            kernel=kernel,
            header=f"{kernel}.h",
            form="rows",
            inputs=(RowInput(0, max(picks) + 1, rows, cols),),
            tables=(columns, Table("picks", "uint8_t", np.array(picks, np.int64))) if irregular else (columns,),
            literals=(("pixel", pixel_bytes(ins[0].type)),),
            wants_y=irregular,
        )
