"""SPLIT and SPLIT_V on any axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyforge.ir.graph import Tensor
from tinyforge.ir.program import KernelCall, Part, RowInput
from tinyforge.ir.types import Array
from tinyforge.ir.window import IDENTITY, AxisMap, Window
from tinyforge.ops.base import Op, Piece, require
from tinyforge.ops.movement import StridedCopy, cut, is_map, pixel_bytes, require_same_dtype, strides


@dataclass(frozen=True, slots=True)
class Split(Op):
    """Attributes: axis (non-negative), sizes of the outputs along it. Windowed on the channel axis."""

    axis: int
    sizes: tuple[int, ...]
    kind: ClassVar[str] = "split"

    def infer(self, ins: Sequence[Tensor]) -> tuple[tuple[int, ...], ...]:
        shape = ins[0].shape
        require(0 <= self.axis < len(shape), f"split: axis {self.axis} of rank {len(shape)}")
        require(
            sum(self.sizes) == shape[self.axis] and min(self.sizes) > 0,
            f"split: sizes {self.sizes} do not make up the {shape[self.axis]} of axis {self.axis}",
        )
        return tuple((*shape[: self.axis], size, *shape[self.axis + 1 :]) for size in self.sizes)

    def check(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> None:
        require_same_dtype([ins[0], *outs], "split")

    def _windowed(self, ins: Sequence[Tensor]) -> bool:
        return is_map(ins[0].type) and self.axis == 3

    def axes(self, ins: Sequence[Tensor], outs: Sequence[Tensor], index: int) -> tuple[AxisMap, AxisMap] | None:
        return (IDENTITY, IDENTITY) if self._windowed(ins) else None

    def _starts(self) -> list[int]:
        return [sum(self.sizes[:i]) for i in range(len(self.sizes))]

    def compute(
        self, pieces: Sequence[Piece], ins: Sequence[Tensor], outs: Sequence[Tensor], window: Window
    ) -> list[Array]:
        data = cut(pieces[0], window.rows, window.cols) if self._windowed(ins) else pieces[0].data
        return list(np.split(data, self._starts()[1:], axis=self.axis))

    def lower(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> KernelCall:
        if self._windowed(ins):
            rows = (RowInput(0, 1, IDENTITY, IDENTITY),)
            parts = tuple(self._row_part(ins[0], i, start) for i, start in enumerate(self._starts()))
            return KernelCall("", "tf_take_row.h", "rows", inputs=rows, parts=parts, merge_rows=True)
        parts = tuple(self._flat_part(ins[0], outs[i], i, start) for i, start in enumerate(self._starts()))
        return KernelCall("", "tf_copy_nd.h", "flat", parts=parts)

    def _row_part(self, x: Tensor, index: int, start: int) -> Part:
        itemsize = x.type.dtype.itemsize
        literals = (
            ("stride", 1),
            ("begin", 0),
            ("in_pixel", pixel_bytes(x.type)),
            ("at_c", start * itemsize),
            ("runs", 1),
            ("run", self.sizes[index] * itemsize),
            ("step", 0),
        )
        return Part("tf_take_row", (0,), (index,), (), literals)

    def _flat_part(self, x: Tensor, out: Tensor, index: int, start: int) -> Part:
        source = strides(x.shape)
        copy = StridedCopy(tuple(zip(out.shape, source, strides(out.shape), strict=True)), start * source[self.axis])
        return Part("tf_copy_nd", (0,), (index,), (), copy.literals(x.type.dtype.itemsize, "split"))
