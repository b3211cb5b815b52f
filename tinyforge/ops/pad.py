"""PAD and PADV2: constant padding on any axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyforge.ir.graph import Tensor
from tinyforge.ir.program import KernelCall, RowInput
from tinyforge.ir.types import Array, DType
from tinyforge.ir.window import AxisMap, Window
from tinyforge.ops.base import Op, Piece, require
from tinyforge.ops.movement import StridedCopy, cut, is_map, overlap, pixel_bytes, require_same_dtype, shifted, strides


@dataclass(frozen=True, slots=True)
class Pad(Op):
    """Attributes: paddings (before, after) of each axis; value in output quanta, None for the output's zero point."""

    paddings: tuple[tuple[int, int], ...]
    value: int | None = None
    kind: ClassVar[str] = "pad"

    def infer(self, ins: Sequence[Tensor]) -> tuple[tuple[int, ...], ...]:
        shape = ins[0].shape
        require(
            len(self.paddings) == len(shape),
            f"pad: {len(self.paddings)} paddings for rank {len(shape)}",
        )
        require(all(n >= 0 for pair in self.paddings for n in pair), f"pad: negative paddings {self.paddings}")
        return (tuple(n + a + b for n, (a, b) in zip(shape, self.paddings, strict=True)),)

    def check(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> None:
        require_same_dtype([ins[0], outs[0]], "pad")
        dtype = outs[0].type.dtype
        require(
            self.value in (None, 0) or dtype is not DType.FLOAT32,
            "pad: float32 is only padded with zeros; quantise the model",
        )
        if dtype not in (DType.FLOAT32, DType.BOOL):
            lo, hi = dtype.limits
            value = self._fill(outs)
            require(
                max(lo, -(2**31)) <= value <= min(hi, 2**31 - 1),
                f"pad: value {value} is outside {dtype.value}",
            )

    def _fill(self, outs: Sequence[Tensor]) -> int:
        return outs[0].type.zero_point if self.value is None else self.value

    def _windowed(self, ins: Sequence[Tensor]) -> bool:
        return is_map(ins[0].type) and self.paddings[0] == (0, 0)

    def axes(self, ins: Sequence[Tensor], outs: Sequence[Tensor], index: int) -> tuple[AxisMap, AxisMap] | None:
        if not self._windowed(ins):
            return None
        top, left = self.paddings[1][0], self.paddings[2][0]
        return AxisMap(1, 1, -top, -top), AxisMap(1, 1, -left, -left)

    def compute(
        self, pieces: Sequence[Piece], ins: Sequence[Tensor], outs: Sequence[Tensor], window: Window
    ) -> list[Array]:
        fill = self._fill(outs)
        if not self._windowed(ins):
            return [np.pad(pieces[0].data, self.paddings, constant_values=fill)]
        top, left, front = self.paddings[1][0], self.paddings[2][0], self.paddings[3][0]
        height, width, channels = ins[0].type.hwc
        shape = (1, window.rows.size, window.cols.size, outs[0].shape[3])
        result = np.full(shape, fill, ins[0].type.dtype.numpy)
        inner = Window(shifted(window.rows, -top), shifted(window.cols, -left)).clip(height, width)
        r = overlap(shifted(inner.rows, top), window.rows)
        c = overlap(shifted(inner.cols, left), window.cols)
        if r.size and c.size:
            source = cut(pieces[0], shifted(r, -top), shifted(c, -left))
            rows, cols = shifted(r, -window.rows.lo), shifted(c, -window.cols.lo)
            result[:, rows.lo : rows.hi, cols.lo : cols.hi, front : front + channels] = source
        return [result]

    def lower(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> KernelCall:
        axes = self.axes(ins, outs, 0)
        itemsize = ins[0].type.dtype.itemsize
        fill = (("element", itemsize), ("value", self._fill(outs)))
        if axes is None:
            return self._flat(ins[0], outs[0], fill)
        return KernelCall(
            kernel="tf_pad_row",
            header="tf_pad_row.h",
            form="rows",
            inputs=(RowInput(0, 1, *axes),),
            literals=(
                ("in_w", ins[0].shape[2]),
                ("left", self.paddings[2][0]),
                ("in_pixel", pixel_bytes(ins[0].type)),
                ("before", self.paddings[3][0] * itemsize),
                ("out_pixel", pixel_bytes(outs[0].type)),
                *fill,
            ),
        )

    def _flat(self, x: Tensor, out: Tensor, fill: tuple[tuple[str, int], ...]) -> KernelCall:
        to = strides(out.shape)
        at = sum(before * s for (before, _), s in zip(self.paddings, to, strict=True))
        copy = StridedCopy(tuple(zip(x.shape, strides(x.shape), to, strict=True)), 0, at)
        literals = (("bytes", out.type.nbytes), *fill, *copy.literals(x.type.dtype.itemsize, "pad"))
        return KernelCall("tf_pad_nd", "tf_pad_nd.h", "flat", literals=literals)
