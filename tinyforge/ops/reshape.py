"""RESHAPE, SQUEEZE, EXPAND_DIMS: the same bytes under another shape; free where the planner shares the place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from tinyforge.ir.graph import Tensor
from tinyforge.ir.program import KernelCall, RowInput
from tinyforge.ir.types import Array
from tinyforge.ir.window import IDENTITY, AxisMap, Window
from tinyforge.ops.base import Op, Piece, require
from tinyforge.ops.movement import is_map, pixel_bytes, require_same_dtype


@dataclass(frozen=True, slots=True)
class Reshape(Op):
    """Attributes: shape, complete (no -1)."""

    shape: tuple[int, ...]
    kind: ClassVar[str] = "reshape"

    def infer(self, ins: Sequence[Tensor]) -> tuple[tuple[int, ...], ...]:
        elements = math.prod(self.shape)
        require(
            elements == ins[0].type.elements,
            f"reshape: {ins[0].name} has {ins[0].type.elements} elements, shape {self.shape} has {elements}",
        )
        return (tuple(self.shape),)

    def check(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> None:
        require_same_dtype([ins[0], outs[0]], "reshape")

    def axes(self, ins: Sequence[Tensor], outs: Sequence[Tensor], index: int) -> tuple[AxisMap, AxisMap] | None:
        """Windowed only where both sides are the same rows of the same pixels."""
        return (IDENTITY, IDENTITY) if ins[0].type.hwc == outs[0].type.hwc else None

    def compute(
        self, pieces: Sequence[Piece], ins: Sequence[Tensor], outs: Sequence[Tensor], window: Window
    ) -> list[Array]:
        data = pieces[0].data
        if is_map(outs[0].type) and is_map(ins[0].type) and ins[0].shape == outs[0].shape:
            return [data]
        return [data.reshape(outs[0].shape)]

    def lower(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> KernelCall:
        axes = self.axes(ins, outs, 0)
        if axes is None:
            size = (("bytes", outs[0].type.nbytes),)
            return KernelCall("tf_copy", "tf_copy.h", "flat", literals=size, in_place=(0,), alias=True)
        pixel = pixel_bytes(ins[0].type)
        names = ("stride", "begin", "in_pixel", "at_c", "runs", "run", "step")
        return KernelCall(
            kernel="tf_take_row",
            header="tf_take_row.h",
            form="rows",
            inputs=(RowInput(0, 1, *axes),),
            literals=tuple(zip(names, (1, 0, pixel, 0, 1, pixel, 0), strict=True)),
            in_place=(0,),
            merge_rows=True,
            alias=True,
        )
