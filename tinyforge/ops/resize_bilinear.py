"""RESIZE_BILINEAR, int8: the reference's integer arithmetic, positions in 1/1024 pixels.

The reference does uint8 in float32. Where every step of that is exact (scales that are powers of two) it equals the
integer form with ties rounded up; other uint8 resizes are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyforge.ir.graph import Tensor
from tinyforge.ir.program import KernelCall, RowInput
from tinyforge.ir.types import Array, IntArray
from tinyforge.ir.window import AxisMap, Interval, Window
from tinyforge.ops.base import Op, Piece, require, require_int8
from tinyforge.ops.movement import cut

ONE = 1 << 10
"""One input pixel in the units of positions."""

FLOAT_EXACT = 1 << 2
"""Smallest step of a position, in 1/1024, for which float32 holds every product with 8-bit values exactly."""


@dataclass(frozen=True, slots=True)
class AxisPositions:
    """Position of output index i: (i * scale + offset) / 1024 input pixels."""

    scale: int
    offset: int

    def at(self, indices: Interval, in_size: int) -> tuple[IntArray, IntArray, IntArray]:
        """Lower neighbour, upper neighbour, weight of the upper one in 1/1024, for each index."""
        scaled = np.arange(indices.lo, indices.hi, dtype=np.int64) * self.scale + self.offset
        lower = np.maximum(scaled, 0) // ONE
        upper = np.minimum(np.maximum(scaled + ONE - 1, 0) // ONE, in_size - 1)
        return lower, upper, scaled - lower * ONE

    @property
    def axis(self) -> AxisMap:
        return AxisMap(self.scale, ONE, self.offset, self.offset + ONE - 1)


@dataclass(frozen=True, slots=True)
class ResizeBilinear(Op):
    """Attributes: size (rows, cols) of the output, align_corners, half_pixel_centers; from_uint8: the model file has
    the operator in uint8, whose reference rounds differently."""

    size: tuple[int, int]
    align_corners: bool = False
    half_pixel_centers: bool = False
    from_uint8: bool = False
    kind: ClassVar[str] = "resize_bilinear"

    def infer(self, ins: Sequence[Tensor]) -> tuple[tuple[int, ...], ...]:
        shape = ins[0].shape
        require(len(shape) == 4, f"resize_bilinear: rank 4 is needed, not {shape}")
        require(min(self.size) > 0, f"resize_bilinear: size {self.size}")
        return ((shape[0], *self.size, shape[3]),)

    def check(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> None:
        require_int8([ins[0], outs[0]], "resize_bilinear")
        require(ins[0].shape[0] == 1, "resize_bilinear: batch must be 1")
        require(
            not (self.align_corners and self.half_pixel_centers),
            "resize_bilinear: align_corners and half_pixel_centers exclude each other",
        )
        for in_size, out_size in zip(ins[0].shape[1:3], self.size, strict=True):
            axis = self.positions(in_size, out_size)
            last = axis.at(Interval(out_size - 1, out_size), in_size)[0][0]
            require(
                last < in_size and out_size * axis.scale < 1 << 30,
                f"resize_bilinear: {in_size} to {out_size} is beyond the reference's 10-bit positions",
            )
            require(
                not self.from_uint8 or self._exact_in_float(in_size, out_size),
                f"resize_bilinear: {in_size} to {out_size} in uint8 is float arithmetic in the reference; only factors "
                "that are powers of two are exact, export the model with int8 quantisation",
            )

    def positions(self, in_size: int, out_size: int) -> AxisPositions:
        """Along one axis, as the reference's integer kernel has them."""
        scale = (ONE * in_size + out_size // 2) // out_size
        if self.align_corners and out_size > 1:
            scale = (ONE * (in_size - 1) + (out_size - 1) // 2) // (out_size - 1)
        return AxisPositions(scale, scale // 2 - ONE // 2 if self.half_pixel_centers else 0)

    def _exact_in_float(self, in_size: int, out_size: int) -> bool:
        n, d = (in_size - 1, out_size - 1) if self.align_corners and out_size > 1 else (in_size, out_size)
        axis = self.positions(in_size, out_size)
        return (ONE * n) % d == 0 and axis.scale % (2 * FLOAT_EXACT) == 0

    def _both(self, ins: Sequence[Tensor]) -> tuple[AxisPositions, AxisPositions]:
        height, width, _ = ins[0].type.hwc
        return self.positions(height, self.size[0]), self.positions(width, self.size[1])

    def axes(self, ins: Sequence[Tensor], outs: Sequence[Tensor], index: int) -> tuple[AxisMap, AxisMap] | None:
        rows, cols = self._both(ins)
        return rows.axis, cols.axis

    def compute(
        self, pieces: Sequence[Piece], ins: Sequence[Tensor], outs: Sequence[Tensor], window: Window
    ) -> list[Array]:
        rows, cols = self._both(ins)
        height, width, _ = ins[0].type.hwc
        y0, y1, fy = rows.at(window.rows, height)
        x0, x1, fx = cols.at(window.cols, width)
        origin = Interval(int(y0.min()), int(y1.max()) + 1), Interval(int(x0.min()), int(x1.max()) + 1)
        x = cut(pieces[0], *origin)[0].astype(np.int64)
        y0, y1, x0, x1 = y0 - origin[0].lo, y1 - origin[0].lo, x0 - origin[1].lo, x1 - origin[1].lo
        fy, fx = fy[:, None, None], fx[None, :, None]
        top = x[y0][:, x0] * (ONE - fx) + x[y0][:, x1] * fx
        bottom = x[y1][:, x0] * (ONE - fx) + x[y1][:, x1] * fx
        total = top * (ONE - fy) + bottom * fy
        half = ONE * ONE // 2
        if self.from_uint8:
            rounded = (total + half) // (ONE * ONE)
        else:
            rounded = np.sign(total) * ((np.abs(total) + half) // (ONE * ONE))
        return [rounded[None].astype(np.int8)]

    def lower(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> KernelCall:
        rows, cols = self._both(ins)
        return KernelCall(
            kernel="tf_resize_bilinear_s8",
            header="tf_resize_bilinear_s8.h",
            form="rows",
            inputs=(RowInput(0, 2, rows.axis, cols.axis),),
            literals=(
                ("in_w", ins[0].shape[2]),
                ("channels", ins[0].shape[3]),
                ("h_scale", rows.scale),
                ("h_offset", rows.offset),
                ("w_scale", cols.scale),
                ("w_offset", cols.offset),
                ("half_up", int(self.from_uint8)),
            ),
            wants_y=True,
        )
