"""LOGISTIC of int8 as a table; the output scale is always 1/256 with zero point -128."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyforge.ir.graph import Tensor
from tinyforge.ir.types import IntArray
from tinyforge.ops.base import require
from tinyforge.ops.lookup import Lookup, float_table


def _sigmoid(x: float) -> float:
    """1 / (1 + exp(-x)), every step in float32; exp overflows to infinity there."""
    exp = np.float32(math.exp(-x)) if x > -88.7 else np.float32(np.inf)
    return float(np.float32(1) / (np.float32(1) + exp))


@dataclass(frozen=True, slots=True)
class Logistic(Lookup):
    """1 / (1 + exp(-x))"""

    kind: ClassVar[str] = "logistic"

    def check(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> None:
        Lookup.check(self, ins, outs)
        scale = outs[0].type.scale
        require(scale == 1 / 256, f"logistic: output scale {scale} of {outs[0].name} must be 1/256")

    def table(self, x: Tensor, out: Tensor) -> IntArray:
        return float_table(x, out, _sigmoid)
