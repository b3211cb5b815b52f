"""SLICE: a box of a tensor of any rank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from tinyforge.ir.graph import Tensor
from tinyforge.ir.program import KernelCall
from tinyforge.ir.types import Array
from tinyforge.ir.window import AxisMap, Window
from tinyforge.ops.base import Op, Piece
from tinyforge.ops.movement import require_same_dtype
from tinyforge.ops.slicing import Box


@dataclass(frozen=True, slots=True)
class Slice(Op):
    """Attributes: begin and size of each axis, explicit (no -1)."""

    begin: tuple[int, ...]
    size: tuple[int, ...]
    kind: ClassVar[str] = "slice"

    @property
    def box(self) -> Box:
        return Box(self.begin, self.size, (1,) * len(self.begin))

    def infer(self, ins: Sequence[Tensor]) -> tuple[tuple[int, ...], ...]:
        self.box.check(ins[0].shape, "slice")
        return (self.size,)

    def check(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> None:
        require_same_dtype([ins[0], outs[0]], "slice")

    def axes(self, ins: Sequence[Tensor], outs: Sequence[Tensor], index: int) -> tuple[AxisMap, AxisMap] | None:
        return self.box.axes(ins[0], outs[0])

    def compute(
        self, pieces: Sequence[Piece], ins: Sequence[Tensor], outs: Sequence[Tensor], window: Window
    ) -> list[Array]:
        if self.axes(ins, outs, 0) is None:
            return [self.box.take(pieces[0].data)]
        return [self.box.window(pieces[0], window)]

    def lower(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> KernelCall:
        return self.box.lower(ins[0], outs[0], "slice")
