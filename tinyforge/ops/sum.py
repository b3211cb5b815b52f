"""SUM of int8 over any axes, as the published reference kernel computes it.

The BUILTIN_REF kernels of the ai-edge-litert 2.3 wheel read the bytes of an int8 SUM as uint8 (their optimised kernels
do not), so a comparison with them fails on negative quanta; nothing useful can be done with that result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyforge.ir.graph import Tensor
from tinyforge.ir.program import KernelCall
from tinyforge.ir.types import Array, DType
from tinyforge.ir.window import AxisMap, Window
from tinyforge.ops.base import Op, Piece
from tinyforge.ops.reduction import (
    check_reduction,
    compute_reduction,
    lower_reduction,
    over_rows_and_columns,
    reduced_shape,
    reduction_axes,
    sum_scaling,
)


@dataclass(frozen=True, slots=True)
class Sum(Op):
    """The sum over ``reduce_axes`` (not negative), rescaled once."""

    reduce_axes: tuple[int, ...]
    keep_dims: bool
    kind: ClassVar[str] = "sum"

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
        out = outs[0]
        if out.type.dtype is not DType.INT8:  # shape arithmetic on constants
            total = np.asarray(pieces[0].data).sum(axis=self.reduce_axes).reshape(out.shape)
            return [np.asarray(total, out.type.dtype.numpy)]
        return compute_reduction(pieces[0], ins, outs, self.reduce_axes, sum_scaling(ins[0], out), window)

    def lower(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> KernelCall:
        scaling = sum_scaling(ins[0], outs[0])
        return lower_reduction(ins[0], outs[0], self.reduce_axes, scaling, self.kind)
