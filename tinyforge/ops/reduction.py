"""What MEAN and SUM of int8 share: sums over any axes, accumulated row by row where the axes are rows and columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinyforge.ir.fixed_point import quantize_multiplier, requantize
from tinyforge.ir.graph import Tensor
from tinyforge.ir.program import KernelCall, Proof, RowInput
from tinyforge.ir.types import Array, DType
from tinyforge.ir.window import IDENTITY, AxisMap, Window
from tinyforge.ops.base import Op, Piece, require, require_int8
from tinyforge.ops.broadcast import spatial
from tinyforge.ops.proofs import FULL, SHORT
from tinyforge.ops.requant import Rescale, short_form

MAX_COUNT = 1 << 23
"""Elements under one sum: 255 times as much stays inside int32."""

LOOPS = 5
SUM_BYTES = 4  # of one channel's accumulator
FULL_FORM = -1
"""In place of a ``Rounding``: the reference's own arithmetic."""


@dataclass(frozen=True, slots=True)
class Reduction(Op):
    """A sum over ``reduce_axes`` (not negative), rescaled once by ``scaling`` of the operator."""

    reduce_axes: tuple[int, ...]
    keep_dims: bool

    def scaling(self, x: Tensor, out: Tensor) -> tuple[int, int]:
        """(multiplier, shift) from the sum of input quanta to output quanta."""
        raise NotImplementedError

    def infer(self, ins: Sequence[Tensor]) -> tuple[tuple[int, ...], ...]:
        return (reduced_shape(ins[0], self.reduce_axes, self.keep_dims, self.kind),)

    def check(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> None:
        check_reduction(ins[0], outs[0], self.reduce_axes, self.kind)

    def axes(self, ins: Sequence[Tensor], outs: Sequence[Tensor], index: int) -> tuple[AxisMap, AxisMap] | None:
        return reduction_axes(ins[0], outs[0], self.reduce_axes)

    def accumulates(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> bool:
        return over_rows_and_columns(ins[0], self.reduce_axes)

    def compute(
        self, pieces: Sequence[Piece], ins: Sequence[Tensor], outs: Sequence[Tensor], window: Window
    ) -> list[Array]:
        return compute_reduction(pieces[0], ins, outs, self.reduce_axes, self.scaling(ins[0], outs[0]), window)

    def lower(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> KernelCall:
        return lower_reduction(ins[0], outs[0], self.reduce_axes, self.scaling(ins[0], outs[0]), self.kind)

    def least_scratch(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> int:
        return SUM_BYTES * ins[0].shape[3] if self.accumulates(ins, outs) else 0


def reduced_shape(x: Tensor, axes: Sequence[int], keep_dims: bool, kind: str) -> tuple[int, ...]:
    """Shape without (or with 1 at) the reduced axes."""
    require(all(0 <= a < len(x.shape) for a in axes), f"{kind}: axes {tuple(axes)} of {x.name}, rank {len(x.shape)}")
    if keep_dims:
        return tuple(1 if i in axes else n for i, n in enumerate(x.shape))
    return tuple(n for i, n in enumerate(x.shape) if i not in axes)


def element_count(x: Tensor, axes: Sequence[int]) -> int:
    """Elements under one sum."""
    return math.prod(n for i, n in enumerate(x.shape) if i in axes)


def check_reduction(x: Tensor, out: Tensor, axes: Sequence[int], kind: str) -> None:
    """int8 with quantisation, few enough elements, at most five groups of kept and reduced axes."""
    if x.is_constant and x.type.dtype is not DType.INT8:
        return
    require_int8([x, out], kind)
    count = element_count(x, axes)
    require(0 < count <= MAX_COUNT, f"{kind}: {count} elements of {x.name} under one sum, the limit is {MAX_COUNT}")
    loop_extents(x, axes, kind)


def sum_scaling(x: Tensor, out: Tensor) -> tuple[int, int]:
    """(multiplier, shift) of a sum: input over output scale, in double."""
    return quantize_multiplier(float(np.float32(x.type.scale)) / float(np.float32(out.type.scale)))


def mean_scaling(x: Tensor, out: Tensor, count: int) -> tuple[int, int]:
    """The same with 1 / count inside the multiplier, which the reference truncates."""
    multiplier, exponent = sum_scaling(x, out)
    shift = min(count.bit_length() - 1, 32, 31 + exponent)
    return (multiplier << shift) // count, exponent - shift


def compute_reduction(
    piece: Piece,
    ins: Sequence[Tensor],
    outs: Sequence[Tensor],
    axes: Sequence[int],
    scaling: tuple[int, int],
    window: Window,
) -> list[Array]:
    """The sums without the zero point, rescaled; only those of the window's rows where each row is summed alone."""
    x, out = ins[0], outs[0]
    data, shape = np.asarray(piece.data, np.int64), out.shape
    if over_columns(x, out, axes):
        data = data[:, window.rows.lo - piece.window.rows.lo : window.rows.hi - piece.window.rows.lo]
        shape = (1, window.rows.size, 1, out.shape[3])
    total = data.sum(axis=tuple(axes)) - x.type.zero_point * element_count(x, axes)
    lo, hi = out.type.dtype.limits
    result = requantize(np.asarray(total, np.int64), *scaling, out.type.zero_point, lo, hi)
    return [result.reshape(shape).astype(out.type.dtype.numpy)]


def over_rows_and_columns(x: Tensor, axes: Sequence[int]) -> bool:
    """Whether exactly the rows and columns of a feature map are summed, so that pieces can be accumulated; of a map of
    one row or one column the other axis is enough."""
    if not spatial(x.type) or not {1, 2} & set(axes):
        return False
    return {a for a in axes if x.shape[a] > 1} == {a for a in (1, 2) if x.shape[a] > 1}


def over_columns(x: Tensor, out: Tensor, axes: Sequence[int]) -> bool:
    """Whether the columns of a feature map are summed row by row (the first half of a global mean in two steps)."""
    return spatial(x.type) and spatial(out.type) and x.shape[1] > 1 and {a for a in axes if x.shape[a] > 1} == {2}


def reduction_axes(x: Tensor, out: Tensor, axes: Sequence[int]) -> tuple[AxisMap, AxisMap] | None:
    """A row of sums needs its row of the input, all columns; other sums need whole tensors."""
    return (IDENTITY, _all_columns(x)) if over_columns(x, out, axes) else None


def _all_columns(x: Tensor) -> AxisMap:
    return AxisMap(0, 1, 0, x.shape[2] - 1)


def loop_extents(x: Tensor, axes: Sequence[int], kind: str) -> tuple[int, ...]:
    """Extents of kept, reduced, kept, reduced, kept axes after joining neighbours of a kind."""
    groups: list[tuple[bool, int]] = [(False, 1)]
    for i, n in enumerate(x.shape):
        if n == 1:
            continue
        if groups[-1][0] == (i in axes):
            groups[-1] = (groups[-1][0], groups[-1][1] * n)
        else:
            groups.append((i in axes, n))
    require(len(groups) <= LOOPS, f"{kind}: axes {tuple(axes)} of {x.name} alternate too often; transpose it first")
    extents = [n for _, n in groups]
    if len(extents) % 2 == 0:
        extents.append(1)  # nothing is kept inside
    return (extents[0], *(1,) * (LOOPS - len(extents)), *extents[1:])


def _rescale(x: Tensor, out: Tensor, axes: Sequence[int], scaling: tuple[int, int]) -> tuple[tuple[str, int], ...]:
    """Literals of the rescaling: the short form where it is proven for every sum, else the reference's arithmetic."""
    reach = 255 * element_count(x, axes)
    one = np.ones(1, np.int64)
    lo, hi = out.type.dtype.limits
    zero = out.type.zero_point
    short = short_form(Rescale(one * scaling[0], one * scaling[1], zero, lo, hi, -reach * one, reach * one))
    if short is None:
        return ("multiplier", scaling[0]), ("shift", scaling[1]), ("add", zero), ("rounding", FULL_FORM)
    return (
        ("multiplier", int(short.multiplier[0])),
        ("shift", int(short.shift[0])),
        ("add", int(short.add[0])),
        ("rounding", short.rounding.value),
    )


def lower_reduction(x: Tensor, out: Tensor, axes: Sequence[int], scaling: tuple[int, int], kind: str) -> KernelCall:
    """The accumulating form for rows and columns, row by row for columns, else five nested loops."""
    arithmetic = (("offset", -x.type.zero_point * element_count(x, axes)), *_rescale(x, out, axes, scaling))
    reach = 255 * element_count(x, axes)
    proof = Proof(FULL if dict(arithmetic)["rounding"] == FULL_FORM else SHORT, 0, -reach, reach)
    if over_rows_and_columns(x, axes):
        channels = x.shape[3]
        return KernelCall(
            kernel="tf_sum_rows_s8",
            header="tf_sum_rows_s8.h",
            form="reduce",
            inputs=(RowInput(0, 1, IDENTITY, IDENTITY),),
            literals=(("channels", channels), *arithmetic),
            scratch_bytes=SUM_BYTES * channels,
            proofs=(proof,),
        )
    if over_columns(x, out, axes):
        return KernelCall(
            kernel="tf_sum_row_s8",
            header="tf_sum_row_s8.h",
            form="rows",
            inputs=(RowInput(0, 1, IDENTITY, _all_columns(x)),),
            literals=(("channels", x.shape[3]), ("width", x.shape[2]), *arithmetic),
        )
    names = ("k0", "r0", "k1", "r1", "k2")
    extents = tuple(zip(names, loop_extents(x, axes, kind), strict=True))
    return KernelCall("tf_sum_s8", "tf_sum_s8.h", "flat", literals=(*extents, *arithmetic), proofs=(proof,))
