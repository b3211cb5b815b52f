"""GELU of int8 as a table."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyforge.ir.graph import Tensor
from tinyforge.ir.types import IntArray
from tinyforge.ops.lookup import Lookup, float_table

_F = np.float32
_HALF, _ONE, _CUBIC = _F(0.5), _F(1), _F(0.044715)
_ROOT_HALF, _ROOT_2_OVER_PI = _F(math.sqrt(0.5)), _F(math.sqrt(2 / math.pi))


@dataclass(frozen=True, slots=True)
class Gelu(Lookup):
    """x times the normal distribution's part below x; by a tanh where ``approximate``"""

    approximate: bool
    kind: ClassVar[str] = "gelu"

    def table(self, x: Tensor, out: Tensor) -> IntArray:
        return float_table(x, out, _by_tanh if self.approximate else _by_erfc)


# Every step in float32, as the reference takes it.


def _by_erfc(value: float) -> float:
    x = _F(value)
    return float(_HALF * x * _F(math.erfc(float(x * -_ROOT_HALF))))


def _by_tanh(value: float) -> float:
    x = _F(value)
    inner = _ROOT_2_OVER_PI * (x + _CUBIC * x * x * x)
    return float(_HALF * x * (_ONE + _F(math.tanh(float(inner)))))
