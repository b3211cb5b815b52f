"""SUB of int8: as ADD with the second operand negated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyforge.ir.graph import Tensor
from tinyforge.ir.types import Array, IntArray
from tinyforge.ops.add import check_sum, sum_form, sum_quanta
from tinyforge.ops.base import Activation
from tinyforge.ops.broadcast import Binary, PointForm


@dataclass(frozen=True, slots=True)
class Sub(Binary):
    """activation(a - b)"""

    activation: Activation
    kind: ClassVar[str] = "sub"

    def check(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> None:
        Binary.check(self, ins, outs)
        check_sum(self.kind, ins, outs)

    def quanta(self, a: IntArray, b: IntArray, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> IntArray:
        return sum_quanta(a, b, ins, outs, self.activation, -1)

    def point_form(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> PointForm:
        return sum_form(self, ins, outs, self.activation, -1)

    def plain(self, a: Array, b: Array) -> Array:
        return np.asarray(np.subtract(a, b))
