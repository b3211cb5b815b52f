"""What AVERAGE_POOL_2D and MAX_POOL_2D share: attributes, shapes, windows, valid positions. Padding never counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tinyforge.ir.graph import Tensor
from tinyforge.ir.program import RowInput
from tinyforge.ir.types import Array, IntArray
from tinyforge.ir.window import AxisMap, Interval, Window, conv_axis
from tinyforge.ops.base import Activation, Op, Piece, activation_range, padded_piece, require, require_int8
from tinyforge.ops.conv2d import out_extent


@dataclass(frozen=True, slots=True)
class Pool2D(Op):
    """Attributes: size and stride as (rows, cols), padding as (top, bottom, left, right)."""

    size: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int, int, int]
    activation: Activation

    def infer(self, ins: Sequence[Tensor]) -> tuple[tuple[int, ...], ...]:
        x = ins[0].shape
        require(len(x) == 4, f"{self.kind}: the input must have rank 4, not {len(x)}")
        top, bottom, left, right = self.padding
        h = out_extent(x[1], self.size[0], self.stride[0], top, bottom)
        w = out_extent(x[2], self.size[1], self.stride[1], left, right)
        fits = h > 0 and w > 0
        require(fits, f"{self.kind}: a {self.size[0]}x{self.size[1]} window does not fit into {x[1]}x{x[2]}")
        return ((x[0], h, w, x[3]),)

    def check(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> None:
        require_int8([ins[0], outs[0]], self.kind)
        x, out = ins[0].type, outs[0].type
        require(ins[0].shape[0] == 1, f"{self.kind}: batch must be 1")
        same = abs(x.scale - out.scale) <= 1e-6 and x.zero_point == out.zero_point
        require(same, f"{self.kind}: input and output must share scale and zero point, as the reference demands")
        for axis, name in enumerate(("rows", "columns")):
            spans = self.valid_counts(axis, x.shape[1 + axis], out.shape[1 + axis])
            require(min(spans) > 0, f"{self.kind}: a window lies wholly in the padding {name}, its value is undefined")

    def valid_counts(self, axis: int, size: int, positions: int) -> list[int]:
        """Input positions inside the tensor for each output position of an axis (0 rows, 1 columns)."""
        axis_map = self._axis(axis)
        return [axis_map.needed(Interval(i, i + 1)).clip(size).size for i in range(positions)]

    def _axis(self, axis: int) -> AxisMap:
        return conv_axis(self.size[axis], self.stride[axis], self.padding[2 * axis])

    def axes(self, ins: Sequence[Tensor], outs: Sequence[Tensor], index: int) -> tuple[AxisMap, AxisMap] | None:
        return self._axis(0), self._axis(1)

    def taps(self, piece: Piece, fill: int, window: Window) -> Iterator[IntArray]:
        """For each position of the pooling window the input under it for every output of ``window``:
        (rows, cols, C), ``fill`` where it lies in the padding."""
        needed = Window(self._axis(0).needed(window.rows), self._axis(1).needed(window.cols))
        x = padded_piece(piece, needed, fill)[0]
        (sh, sw), oh, ow = self.stride, window.rows.size, window.cols.size
        for ky in range(self.size[0]):
            for kx in range(self.size[1]):
                yield x[ky : ky + (oh - 1) * sh + 1 : sh, kx : kx + (ow - 1) * sw + 1 : sw]

    def clamped(self, values: IntArray, outs: Sequence[Tensor]) -> list[Array]:
        """(rows, cols, C) int64 -> the output, activation applied."""
        lo, hi = activation_range(self.activation, outs[0].type)
        return [np.clip(values, lo, hi).astype(np.int8)[None]]

    def row_input(self) -> tuple[RowInput, ...]:
        return (RowInput(0, self.size[0], self._axis(0), self._axis(1)),)

    def shape_literals(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> tuple[tuple[str, int], ...]:
        """Literals every pooling kernel ends with."""
        lo, hi = activation_range(self.activation, outs[0].type)
        return (
            ("kh", self.size[0]),
            ("kw", self.size[1]),
            ("in_w", ins[0].shape[2]),
            ("channels", ins[0].shape[3]),
            ("stride_w", self.stride[1]),
            ("pad_left", self.padding[2]),
            ("lo", lo),
            ("hi", hi),
        )
