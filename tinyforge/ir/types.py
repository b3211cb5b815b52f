"""Types of tensors: dtype, shape, affine quantisation. Frozen values, no behaviour beyond size arithmetic."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.generic]
IntArray = npt.NDArray[np.int64]


class DType(enum.Enum):
    """Element type; the value is numpy's name for it."""

    INT8 = "int8"
    UINT8 = "uint8"
    INT16 = "int16"
    INT32 = "int32"
    INT64 = "int64"
    FLOAT32 = "float32"
    BOOL = "bool"

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return int(np.dtype(self.value).itemsize)

    @property
    def numpy(self) -> np.dtype[np.generic]:
        return np.dtype(self.value)

    @property
    def limits(self) -> tuple[int, int]:
        """Smallest and largest value of an integer type."""
        info = np.iinfo(self.value)
        return int(info.min), int(info.max)


@dataclass(frozen=True, slots=True)
class Quant:
    """real = scale * (q - zero_point).

    ``scale`` holds float32 values (as Python floats, exact); one entry per tensor, or one per index of ``axis``.
    """

    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int | None = None

    @property
    def per_channel(self) -> bool:
        return len(self.scale) > 1

    @property
    def scale0(self) -> float:
        return self.scale[0]

    @property
    def zero_point0(self) -> int:
        return self.zero_point[0]


@dataclass(frozen=True, slots=True)
class TensorType:
    """Shape (NHWC for rank 4), element type and quantisation of one tensor."""

    shape: tuple[int, ...]
    dtype: DType
    quant: Quant | None = None

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        return self.elements * self.dtype.itemsize

    @property
    def hwc(self) -> tuple[int, int, int]:
        """(H, W, C) of a rank-4 tensor of batch 1; anything else is seen as one row of one pixel."""
        if len(self.shape) == 4 and self.shape[0] == 1:
            return self.shape[1], self.shape[2], self.shape[3]
        return 1, 1, self.elements

    @property
    def zero_point(self) -> int:
        """Per-tensor zero point, 0 where the tensor is not quantised."""
        return self.quant.zero_point0 if self.quant else 0

    @property
    def scale(self) -> float:
        """Per-tensor scale, 1.0 where the tensor is not quantised."""
        return self.quant.scale0 if self.quant else 1.0
