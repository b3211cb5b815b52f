"""MEAN of int8 over any axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from tinyforge.ir.graph import Tensor
from tinyforge.ir.program import KernelCall
from tinyforge.ir.types import Array
from tinyforge.ir.window import AxisMap, Window
from tinyforge.ops.base import Op, Piece
from tinyforge.ops.reduction import (
    SUM_BYTES,
    check_reduction,
    compute_reduction,
    element_count,
    lower_reduction,
    mean_scaling,
    over_rows_and_columns,
    reduced_shape,
    reduction_axes,
)


@dataclass(frozen=True, slots=True)
class Mean(Op):
    """The mean over ``reduce_axes`` (not negative), rescaled once."""

    reduce_axes: tuple[int, ...]
    keep_dims: bool
    kind: ClassVar[str] = "mean"

    def infer(self, ins: Sequence[Tensor]) -> tuple[tuple[int, ...], ...]:
        return (reduced_shape(ins[0], self.reduce_axes, self.keep_dims, self.kind),)

    def check(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> None:
        check_reduction(ins[0], outs[0], self.reduce_axes, self.kind)

    def axes(self, ins: Sequence[Tensor], outs: Sequence[Tensor], index: int) -> tuple[AxisMap, AxisMap] | None:
        return reduction_axes(ins[0], outs[0], self.reduce_axes)

    def accumulates(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> bool:
        return over_rows_and_columns(ins[0], self.reduce_axes)

    def compute(
        self, pieces: Sequence[Piece], ins: Sequence[Tensor], outs: Sequence[Tensor], window: Window
    ) -> list[Array]:
        return compute_reduction(pieces[0], ins, outs, self.reduce_axes, self._scaling(ins, outs), window)

    def lower(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> KernelCall:
        scaling = self._scaling(ins, outs)
        return lower_reduction(ins[0], outs[0], self.reduce_axes, scaling, self.kind)

    def least_scratch(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> int:
        return SUM_BYTES * ins[0].shape[3] if self.accumulates(ins, outs) else 0

    def _scaling(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> tuple[int, int]:
        return mean_scaling(ins[0], outs[0], element_count(ins[0], self.reduce_axes))
