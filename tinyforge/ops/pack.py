"""PACK: equal tensors stacked along a new axis."""

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
from tinyforge.ops.movement import StridedCopy, raw_table, require_same_dtype, strides


@dataclass(frozen=True, slots=True)
class Pack(Op):
    """Attributes: axis of the output (non-negative)."""

    axis: int
    kind: ClassVar[str] = "pack"

    def infer(self, ins: Sequence[Tensor]) -> tuple[tuple[int, ...], ...]:
        shape = ins[0].shape
        require(0 <= self.axis <= len(shape), f"pack: axis {self.axis} of rank {len(shape) + 1}")
        require(all(t.shape == shape for t in ins), f"pack: shapes differ: {[t.shape for t in ins]}")
        return ((*shape[: self.axis], len(ins), *shape[self.axis :]),)

    def check(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> None:
        require_same_dtype([*ins, *outs], "pack")

    def compute(
        self, pieces: Sequence[Piece], ins: Sequence[Tensor], outs: Sequence[Tensor], window: Window
    ) -> list[Array]:
        return [np.stack([p.data for p in pieces], axis=self.axis)]

    def lower(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> KernelCall:
        to = strides(outs[0].shape)
        kept = [s for k, s in enumerate(to) if k != self.axis]
        constants = [i for i, t in enumerate(ins) if t.is_constant]
        parts = []
        for i, t in enumerate(ins):
            copy = StridedCopy(tuple(zip(t.shape, strides(t.shape), kept, strict=True)), 0, i * to[self.axis])
            literals = copy.literals(t.type.dtype.itemsize, "pack")
            if t.is_constant:
                parts.append(Part("tf_put_nd", (), (0,), (constants.index(i),), literals))
            else:
                parts.append(Part("tf_copy_nd", (i,), (0,), (), literals))
        tables = tuple(raw_table(f"operand{i}", ins[i].array()) for i in constants)
        return KernelCall("", "tf_put_nd.h", "flat", tables=tables, parts=tuple(parts))
