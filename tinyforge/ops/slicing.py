"""A strided box of a tensor: what SLICE and STRIDED_SLICE are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinyforge.ir.graph import Tensor
from tinyforge.ir.program import KernelCall, RowInput
from tinyforge.ir.types import Array
from tinyforge.ir.window import AxisMap, Interval, Window
from tinyforge.ops.base import Piece, require
from tinyforge.ops.movement import StridedCopy, cut, is_map, pixel_bytes, strides


@dataclass(frozen=True, slots=True)
class Box:
    """Index i of axis k reads begin[k] + i * step[k]; size[k] indices."""

    begin: tuple[int, ...]
    size: tuple[int, ...]
    step: tuple[int, ...]

    def check(self, shape: Sequence[int], what: str) -> None:
        """Raises UnsupportedModel where the box is empty or leaves the tensor."""
        require(len(shape) == len(self.begin), f"{what}: {len(self.begin)} axes given for rank {len(shape)}")
        for k, n in enumerate(shape):
            last = self.begin[k] + (self.size[k] - 1) * self.step[k]
            require(self.size[k] > 0, f"{what}: axis {k} of the result is empty")
            require(
                0 <= self.begin[k] < n and 0 <= last < n,
                f"{what}: axis {k} has {n} elements, {self.begin[k]} to {last} are asked for",
            )

    def axes(self, x: Tensor, out: Tensor) -> tuple[AxisMap, AxisMap] | None:
        """Feature maps in, feature maps out, forwards on rows and columns."""
        if not is_map(x.type) or not is_map(out.type) or min(self.step[1:3]) < 1:
            return None
        return AxisMap(self.step[1], 1, self.begin[1], self.begin[1]), AxisMap(
            self.step[2], 1, self.begin[2], self.begin[2]
        )

    def take(self, data: Array) -> Array:
        """The box of a whole array, without dropping axes."""
        index = []
        for b, n, s in zip(self.begin, self.size, self.step, strict=True):
            end = b + n * s
            index.append(slice(b, end if end >= 0 else None, s))
        return data[tuple(index)]

    def window(self, piece: Piece, window: Window) -> Array:
        """The box at an output window of feature maps."""
        r, c = window.rows, window.cols
        (by, sy), (bx, sx) = (self.begin[1], self.step[1]), (self.begin[2], self.step[2])
        rows = Interval(by + r.lo * sy, by + (r.hi - 1) * sy + 1)
        cols = Interval(bx + c.lo * sx, bx + (c.hi - 1) * sx + 1)
        part = cut(piece, rows, cols)[:, ::sy, ::sx]
        channels = Box((0, 0, 0, self.begin[3]), (1, r.size, c.size, self.size[3]), (1, 1, 1, self.step[3]))
        return channels.take(part)

    def lower(self, x: Tensor, out: Tensor, what: str) -> KernelCall:
        axes = self.axes(x, out)
        itemsize = x.type.dtype.itemsize
        if axes is None:
            source = strides(x.shape)
            dims = tuple(
                (n, s * step, to)
                for n, s, step, to in zip(self.size, source, self.step, strides(self.size), strict=True)
            )
            copy = StridedCopy(dims, sum(b * s for b, s in zip(self.begin, source, strict=True)))
            literals = copy.literals(itemsize, what)
            return KernelCall("tf_copy_nd", "tf_copy_nd.h", "flat", literals=literals)
        together = self.step[3] == 1 or self.size[3] == 1
        literals = (
            ("stride", self.step[2]),
            ("begin", self.begin[2]),
            ("in_pixel", pixel_bytes(x.type)),
            ("at_c", self.begin[3] * itemsize),
            ("runs", 1 if together else self.size[3]),
            ("run", self.size[3] * itemsize if together else itemsize),
            ("step", 0 if together else self.step[3] * itemsize),
        )
        whole_rows = x.shape[1:3] == out.shape[1:3] and self.step[1:3] == (1, 1)
        return KernelCall(
            kernel="tf_take_row",
            header="tf_take_row.h",
            form="rows",
            inputs=(RowInput(0, 1, *axes),),
            literals=literals,
            merge_rows=whole_rows,
        )
