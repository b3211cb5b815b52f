"""SUM of int8 over any axes, as the published reference kernel computes it.

The BUILTIN_REF kernels of the ai-edge-litert 2.3 wheel read the bytes of an int8 SUM as uint8 (their optimised kernels
do not), so a comparison with them fails on negative quanta; nothing useful can be done with that result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyforge.ir.graph import Tensor
from tinyforge.ir.types import Array, DType
from tinyforge.ir.window import Window
from tinyforge.ops.base import Piece
from tinyforge.ops.reduction import Reduction, sum_scaling


@dataclass(frozen=True, slots=True)
class Sum(Reduction):
    """The sum over ``reduce_axes``."""

    kind: ClassVar[str] = "sum"

    def scaling(self, x: Tensor, out: Tensor) -> tuple[int, int]:
        return sum_scaling(x, out)

    def compute(
        self, pieces: Sequence[Piece], ins: Sequence[Tensor], outs: Sequence[Tensor], window: Window
    ) -> list[Array]:
        out = outs[0]
        if out.type.dtype is not DType.INT8:  # shape arithmetic on constants
            total = np.asarray(pieces[0].data).sum(axis=self.reduce_axes).reshape(out.shape)
            return [np.asarray(total, out.type.dtype.numpy)]
        # Named: super() knows nothing of the class that slots=True makes anew.
        return Reduction.compute(self, pieces, ins, outs, window)
