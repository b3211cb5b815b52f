"""MAX_POOL_2D: int8, any window, stride and explicit padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyforge.ir.graph import Tensor
from tinyforge.ir.program import KernelCall
from tinyforge.ir.types import Array
from tinyforge.ir.window import Window
from tinyforge.ops.base import Piece
from tinyforge.ops.pool2d import Pool2D


@dataclass(frozen=True, slots=True)
class MaxPool2D(Pool2D):
    """The largest of the valid positions, then the activation's clamp."""

    kind: ClassVar[str] = "max_pool2d"

    def compute(
        self, pieces: Sequence[Piece], ins: Sequence[Tensor], outs: Sequence[Tensor], window: Window
    ) -> list[Array]:
        taps = self.taps(pieces[0], ins[0].type.dtype.limits[0], window)
        largest = next(taps)
        for tap in taps:
            largest = np.maximum(largest, tap)
        return self.clamped(largest, outs)

    def lower(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> KernelCall:
        return KernelCall(
            kernel="tf_max_pool_s8",
            header="tf_max_pool_s8.h",
            form="rows",
            inputs=self.row_input(),
            literals=self.shape_literals(ins, outs),
        )
