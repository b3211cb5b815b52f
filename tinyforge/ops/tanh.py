"""TANH of int8 as a table."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from tinyforge.ir.graph import Tensor
from tinyforge.ir.types import IntArray
from tinyforge.ops.lookup import Lookup, float_table


@dataclass(frozen=True, slots=True)
class Tanh(Lookup):
    """tanh(x)"""

    kind: ClassVar[str] = "tanh"

    def table(self, x: Tensor, out: Tensor) -> IntArray:
        return float_table(x, out, math.tanh)
