"""What the operators that only move elements share: pieces of any dtype, strided copies reduced to few dimensions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinyforge.ir.graph import Tensor
from tinyforge.ir.program import Table
from tinyforge.ir.types import Array, TensorType
from tinyforge.ir.window import Interval
from tinyforge.ops.base import Piece, require

MAX_COPY_DIMS = 6
WIDEST = 1 << 24
"""Stands for the width in kernels that see a whole layer as one row (``merge_rows``)."""


def is_map(t: TensorType) -> bool:
    """Whether the tensor is a feature map (rank 4, batch 1), the kind that windows apply to."""
    return len(t.shape) == 4 and t.shape[0] == 1


def pixel_bytes(t: TensorType) -> int:
    return t.hwc[2] * t.dtype.itemsize


def cut(piece: Piece, rows: Interval, cols: Interval) -> Array:
    """The part (1, rows, cols, C) of a feature map's piece, which must hold it."""
    r, c = piece.window.rows, piece.window.cols
    return piece.data[:, rows.lo - r.lo : rows.hi - r.lo, cols.lo - c.lo : cols.hi - c.lo]


def overlap(a: Interval, b: Interval) -> Interval:
    """Common part of two intervals, possibly empty."""
    lo = max(a.lo, b.lo)
    return Interval(lo, max(lo, min(a.hi, b.hi)))


def shifted(interval: Interval, by: int) -> Interval:
    return Interval(interval.lo + by, interval.hi + by)


def require_same_dtype(tensors: Sequence[Tensor], what: str) -> None:
    first = tensors[0]
    for t in tensors[1:]:
        require(
            t.type.dtype is first.type.dtype,
            f"{what}: {first.name} is {first.type.dtype.value} but {t.name} is {t.type.dtype.value}",
        )


def strides(shape: Sequence[int]) -> list[int]:
    """Elements between neighbours along each axis of a dense tensor."""
    return [math.prod(shape[i + 1 :]) for i in range(len(shape))]


@dataclass(frozen=True, slots=True)
class StridedCopy:
    """dims: (extent, input stride, output stride) outermost first; offsets and strides in elements."""

    dims: tuple[tuple[int, int, int], ...]
    in_at: int = 0
    out_at: int = 0

    def literals(self, itemsize: int, what: str) -> tuple[tuple[str, int], ...]:
        """Arguments of ``tf_copy_nd``. Raises UnsupportedModel when more dimensions remain than it has loops."""
        dims = _merged(self.dims)
        run = itemsize
        if dims and dims[-1][1:] == (1, 1):
            run *= dims.pop()[0]
        require(
            len(dims) <= MAX_COPY_DIMS,
            f"{what}: {len(dims)} dimensions remain that cannot be merged; at most {MAX_COPY_DIMS} are supported",
        )
        dims = [(1, 0, 0)] * (MAX_COPY_DIMS - len(dims)) + dims
        loops = [
            (f"{name}{i}", value if name == "n" else value * itemsize)
            for i, dim in enumerate(dims)
            for name, value in zip(("n", "is", "os"), dim, strict=True)
        ]
        return (("in_at", self.in_at * itemsize), ("out_at", self.out_at * itemsize), *loops, ("run", run))

    @property
    def dense(self) -> bool:
        """Whether this is a plain copy of consecutive elements."""
        dims = _merged(self.dims)
        return len(dims) <= 1 and all(d[1:] == (1, 1) for d in dims)


def _merged(dims: Sequence[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Without extents of 1, neighbours joined where input and output both run on."""
    result: list[tuple[int, int, int]] = []
    for extent, a, b in dims:
        if extent == 1:
            continue
        if result and result[-1][1] == extent * a and result[-1][2] == extent * b:
            result[-1] = (result[-1][0] * extent, a, b)
        else:
            result.append((extent, a, b))
    return result


def raw_table(name: str, data: Array) -> Table:
    """A constant of any dtype as the bytes it has in memory."""
    return Table(name, "int8_t", np.frombuffer(np.ascontiguousarray(data).tobytes(), np.int8), align=8)
