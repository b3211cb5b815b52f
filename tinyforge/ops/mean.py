"""MEAN of int8 over any axes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tinyforge.ir.graph import Tensor
from tinyforge.ops.reduction import Reduction, element_count, mean_scaling


@dataclass(frozen=True, slots=True)
class Mean(Reduction):
    """The mean over ``reduce_axes``."""

    kind: ClassVar[str] = "mean"

    def scaling(self, x: Tensor, out: Tensor) -> tuple[int, int]:
        return mean_scaling(x, out, element_count(x, self.reduce_axes))
