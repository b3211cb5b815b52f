"""DEPTH_TO_SPACE: blocks of channels become blocks of pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from tinyforge.ir.graph import Tensor
from tinyforge.ir.program import KernelCall, RowInput
from tinyforge.ir.types import Array
from tinyforge.ir.window import AxisMap, Interval, Window
from tinyforge.ops.base import Op, Piece, require
from tinyforge.ops.movement import cut, pixel_bytes, require_same_dtype


@dataclass(frozen=True, slots=True)
class DepthToSpace(Op):
    """Attributes: block, the factor on rows and columns."""

    block: int
    kind: ClassVar[str] = "depth_to_space"

    def infer(self, ins: Sequence[Tensor]) -> tuple[tuple[int, ...], ...]:
        shape, block = ins[0].shape, self.block
        require(len(shape) == 4 and block > 0, f"depth_to_space: rank 4 and a block > 0 are needed, not {shape}")
        require(
            shape[3] % (block * block) == 0,
            f"depth_to_space: {shape[3]} channels are no multiple of {block} x {block}",
        )
        return ((shape[0], shape[1] * block, shape[2] * block, shape[3] // (block * block)),)

    def check(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> None:
        require_same_dtype([ins[0], outs[0]], "depth_to_space")
        require(ins[0].shape[0] == 1, "depth_to_space: batch must be 1")

    def axes(self, ins: Sequence[Tensor], outs: Sequence[Tensor], index: int) -> tuple[AxisMap, AxisMap] | None:
        return AxisMap(1, self.block), AxisMap(1, self.block)

    def compute(
        self, pieces: Sequence[Piece], ins: Sequence[Tensor], outs: Sequence[Tensor], window: Window
    ) -> list[Array]:
        b, channels = self.block, outs[0].shape[3]
        rows = Interval(window.rows.lo // b, -(-window.rows.hi // b))
        cols = Interval(window.cols.lo // b, -(-window.cols.hi // b))
        blocks = cut(pieces[0], rows, cols).reshape(rows.size, cols.size, b, b, channels)
        spread = blocks.transpose(0, 2, 1, 3, 4).reshape(1, rows.size * b, cols.size * b, channels)
        y, x = window.rows.lo - rows.lo * b, window.cols.lo - cols.lo * b
        return [spread[:, y : y + window.rows.size, x : x + window.cols.size]]

    def lower(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> KernelCall:
        axes = AxisMap(1, self.block)
        return KernelCall(
            kernel="tf_depth_to_space",
            header="tf_depth_to_space.h",
            form="rows",
            inputs=(RowInput(0, 1, axes, axes),),
            literals=(("block", self.block), ("out_pixel", pixel_bytes(outs[0].type))),
            wants_y=True,
        )
