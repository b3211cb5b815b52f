"""MAXIMUM of int8: the larger quantum; the reference does not rescale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyforge.ir.graph import Tensor
from tinyforge.ir.types import Array, IntArray
from tinyforge.ops.broadcast import Binary, PointForm


@dataclass(frozen=True, slots=True)
class Maximum(Binary):
    """maximum(a, b)"""

    kind: ClassVar[str] = "maximum"

    def quanta(self, a: IntArray, b: IntArray, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> IntArray:
        return np.asarray(np.maximum(a, b), np.int64)

    def point_form(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> PointForm:
        return PointForm(7, (), -128, 127, "maximum")

    def plain(self, a: Array, b: Array) -> Array:
        return np.asarray(np.maximum(a, b))
