"""TRANSPOSE of any rank; one that only moves axes of one index is a reshape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyforge.ir.graph import Tensor
from tinyforge.ir.program import KernelCall
from tinyforge.ir.types import Array
from tinyforge.ir.window import Window
from tinyforge.ops.base import Op, Piece, require
from tinyforge.ops.movement import StridedCopy, require_same_dtype, strides


@dataclass(frozen=True, slots=True)
class Transpose(Op):
    """Attributes: perm; axis k of the output is axis perm[k] of the input."""

    perm: tuple[int, ...]
    kind: ClassVar[str] = "transpose"

    def infer(self, ins: Sequence[Tensor]) -> tuple[tuple[int, ...], ...]:
        shape = ins[0].shape
        require(
            sorted(self.perm) == list(range(len(shape))),
            f"transpose: {self.perm} is no permutation of the {len(shape)} axes of {ins[0].name}",
        )
        return (tuple(shape[k] for k in self.perm),)

    def check(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> None:
        require_same_dtype([ins[0], outs[0]], "transpose")
        self._copy(ins[0], outs[0]).literals(1, "transpose")

    def _copy(self, x: Tensor, out: Tensor) -> StridedCopy:
        source = strides(x.shape)
        picked = [source[k] for k in self.perm]
        return StridedCopy(tuple(zip(out.shape, picked, strides(out.shape), strict=True)))

    def compute(
        self, pieces: Sequence[Piece], ins: Sequence[Tensor], outs: Sequence[Tensor], window: Window
    ) -> list[Array]:
        return [np.ascontiguousarray(np.transpose(pieces[0].data, self.perm))]

    def lower(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> KernelCall:
        copy = self._copy(ins[0], outs[0])
        if copy.dense:
            size = (("bytes", outs[0].type.nbytes),)
            return KernelCall("tf_copy", "tf_copy.h", "flat", literals=size, in_place=(0,), alias=True)
        literals = copy.literals(ins[0].type.dtype.itemsize, "transpose")
        return KernelCall("tf_copy_nd", "tf_copy_nd.h", "flat", literals=literals)
