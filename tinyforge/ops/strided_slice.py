"""STRIDED_SLICE: a strided box of a tensor of any rank, backwards too, with axes of one index dropped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from tinyforge.ir.graph import Tensor
from tinyforge.ir.program import KernelCall
from tinyforge.ir.types import Array
from tinyforge.ir.window import AxisMap, Window
from tinyforge.ops.base import Op, Piece, require
from tinyforge.ops.movement import require_same_dtype
from tinyforge.ops.slicing import Box


@dataclass(frozen=True, slots=True)
class StridedSlice(Op):
    """Attributes: begin, end, strides of each axis with masks resolved (an end of -1 with a negative stride means down
    to index 0); shrink_axes: axes whose one index is taken and which disappear."""

    begin: tuple[int, ...]
    end: tuple[int, ...]
    strides: tuple[int, ...]
    shrink_axes: tuple[int, ...] = ()
    kind: ClassVar[str] = "strided_slice"

    @property
    def box(self) -> Box:
        sizes = [-(-(e - b) // s) for b, e, s in zip(self.begin, self.end, self.strides, strict=True)]
        size = tuple(1 if k in self.shrink_axes else max(0, n) for k, n in enumerate(sizes))
        return Box(self.begin, size, self.strides)

    def infer(self, ins: Sequence[Tensor]) -> tuple[tuple[int, ...], ...]:
        require(0 not in self.strides, "strided_slice: stride 0")
        self.box.check(ins[0].shape, "strided_slice")
        return (tuple(n for k, n in enumerate(self.box.size) if k not in self.shrink_axes),)

    def check(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> None:
        require_same_dtype([ins[0], outs[0]], "strided_slice")

    def axes(self, ins: Sequence[Tensor], outs: Sequence[Tensor], index: int) -> tuple[AxisMap, AxisMap] | None:
        return None if self.shrink_axes else self.box.axes(ins[0], outs[0])

    def compute(
        self, pieces: Sequence[Piece], ins: Sequence[Tensor], outs: Sequence[Tensor], window: Window
    ) -> list[Array]:
        if self.axes(ins, outs, 0) is None:
            return [self.box.take(pieces[0].data).reshape(outs[0].shape)]
        return [self.box.window(pieces[0], window)]

    def lower(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> KernelCall:
        return self.box.lower(ins[0], outs[0], "strided_slice")
