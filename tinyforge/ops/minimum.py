"""MINIMUM of int8: the smaller quantum; the reference does not rescale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyforge.ir.graph import Tensor
from tinyforge.ir.types import Array, IntArray
from tinyforge.ops.broadcast import Binary, PointForm


@dataclass(frozen=True, slots=True)
class Minimum(Binary):
    """minimum(a, b)"""

    kind: ClassVar[str] = "minimum"

    def quanta(self, a: IntArray, b: IntArray, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> IntArray:
        return np.asarray(np.minimum(a, b), np.int64)

    def point_form(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> PointForm:
        return PointForm(8, (), -128, 127, "minimum")

    def plain(self, a: Array, b: Array) -> Array:
        return np.asarray(np.minimum(a, b))
