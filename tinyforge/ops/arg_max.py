"""ARG_MAX along one axis: int8 -> int32, the first of equals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyforge.ir.graph import Tensor
from tinyforge.ir.program import KernelCall
from tinyforge.ir.types import Array, DType
from tinyforge.ir.window import Window
from tinyforge.ops.base import Op, Piece, require, require_int8


@dataclass(frozen=True, slots=True)
class ArgMax(Op):
    """Index of the largest element along ``axis`` (not negative)."""

    axis: int
    kind: ClassVar[str] = "arg_max"
    sign: ClassVar[int] = 1

    def infer(self, ins: Sequence[Tensor]) -> tuple[tuple[int, ...], ...]:
        shape = ins[0].shape
        require(0 <= self.axis < len(shape), f"{self.kind}: axis {self.axis} of {ins[0].name}, rank {len(shape)}")
        return ((*shape[: self.axis], *shape[self.axis + 1 :]),)

    def check(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> None:
        require_int8(ins[:1], self.kind)
        require(
            outs[0].type.dtype is DType.INT32,
            f"{self.kind}: output {outs[0].name} is {outs[0].type.dtype.value}; only int32 is supported",
        )

    def compute(
        self, pieces: Sequence[Piece], ins: Sequence[Tensor], outs: Sequence[Tensor], window: Window
    ) -> list[Array]:
        x = np.asarray(pieces[0].data, np.int64) * self.sign
        return [np.argmax(x, axis=self.axis).reshape(outs[0].shape).astype(np.int32)]

    def lower(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> KernelCall:
        shape = ins[0].shape
        return KernelCall(
            kernel="tf_arg_max_s8_s32",
            header="tf_arg_max_s8_s32.h",
            form="flat",
            literals=(
                ("outer", math.prod(shape[: self.axis])),
                ("extent", shape[self.axis]),
                ("inner", math.prod(shape[self.axis + 1 :])),
                ("sign", self.sign),
            ),
        )
