"""RELU6 of int8: a rescale and a clamp, as a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tinyforge.ir.graph import Tensor
from tinyforge.ir.types import IntArray
from tinyforge.ops.base import Activation
from tinyforge.ops.lookup import Lookup
from tinyforge.ops.relu import relu_table


@dataclass(frozen=True, slots=True)
class Relu6(Lookup):
    """min(max(x, 0), 6)"""

    kind: ClassVar[str] = "relu6"

    def table(self, x: Tensor, out: Tensor) -> IntArray:
        return relu_table(x, out, Activation.RELU6)
