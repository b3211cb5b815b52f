"""SPACE_TO_DEPTH: blocks of pixels become channels."""

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
class SpaceToDepth(Op):
    """Attributes: block, the factor on rows and columns."""

    block: int
    kind: ClassVar[str] = "space_to_depth"

    def infer(self, ins: Sequence[Tensor]) -> tuple[tuple[int, ...], ...]:
        shape, block = ins[0].shape, self.block
        require(len(shape) == 4 and block > 0, f"space_to_depth: rank 4 and a block > 0 are needed, not {shape}")
        require(
            shape[1] % block == 0 and shape[2] % block == 0,
            f"space_to_depth: {shape[1]}x{shape[2]} is no multiple of the block {block}",
        )
        return ((shape[0], shape[1] // block, shape[2] // block, shape[3] * block * block),)

    def check(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> None:
        require_same_dtype([ins[0], outs[0]], "space_to_depth")
        require(ins[0].shape[0] == 1, "space_to_depth: batch must be 1")

    def _axis(self) -> AxisMap:
        return AxisMap(self.block, 1, 0, self.block - 1)

    def axes(self, ins: Sequence[Tensor], outs: Sequence[Tensor], index: int) -> tuple[AxisMap, AxisMap] | None:
        return self._axis(), self._axis()

    def compute(
        self, pieces: Sequence[Piece], ins: Sequence[Tensor], outs: Sequence[Tensor], window: Window
    ) -> list[Array]:
        b = self.block
        rows = Interval(window.rows.lo * b, window.rows.hi * b)
        cols = Interval(window.cols.lo * b, window.cols.hi * b)
        blocks = cut(pieces[0], rows, cols).reshape(window.rows.size, b, window.cols.size, b, -1)
        return [blocks.transpose(0, 2, 1, 3, 4).reshape(1, window.rows.size, window.cols.size, -1)]

    def lower(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> KernelCall:
        return KernelCall(
            kernel="tf_space_to_depth",
            header="tf_space_to_depth.h",
            form="rows",
            inputs=(RowInput(0, self.block, self._axis(), self._axis()),),
            literals=(("block", self.block), ("in_pixel", pixel_bytes(ins[0].type))),
        )
