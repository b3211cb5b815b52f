"""UNPACK: a tensor cut into its indices along one axis, which disappears."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyforge.ir.graph import Tensor
from tinyforge.ir.program import KernelCall, Part
from tinyforge.ir.types import Array
from tinyforge.ir.window import Window
from tinyforge.ops.base import Op, Piece, require
from tinyforge.ops.movement import StridedCopy, require_same_dtype, strides


@dataclass(frozen=True, slots=True)
class Unpack(Op):
    """Attributes: axis of the input (non-negative)."""

    axis: int
    kind: ClassVar[str] = "unpack"

    def infer(self, ins: Sequence[Tensor]) -> tuple[tuple[int, ...], ...]:
        shape = ins[0].shape
        require(0 <= self.axis < len(shape), f"unpack: axis {self.axis} of rank {len(shape)}")
        return ((*shape[: self.axis], *shape[self.axis + 1 :]),) * shape[self.axis]

    def check(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> None:
        require_same_dtype([ins[0], *outs], "unpack")

    def compute(
        self, pieces: Sequence[Piece], ins: Sequence[Tensor], outs: Sequence[Tensor], window: Window
    ) -> list[Array]:
        data = pieces[0].data
        return [np.take(data, i, axis=self.axis) for i in range(data.shape[self.axis])]

    def lower(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> KernelCall:
        x = ins[0]
        source = strides(x.shape)
        kept = [s for k, s in enumerate(source) if k != self.axis]
        parts = []
        for i, t in enumerate(outs):
            copy = StridedCopy(tuple(zip(t.shape, kept, strides(t.shape), strict=True)), i * source[self.axis])
            literals = copy.literals(x.type.dtype.itemsize, "unpack")
            parts.append(Part("tf_copy_nd", (0,), (i,), (), literals))
        return KernelCall("", "tf_copy_nd.h", "flat", parts=tuple(parts))
