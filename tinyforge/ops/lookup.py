"""Operators of one int8 input are tables of 256 bytes: shapes, windows, reference and kernel call for all of them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar

import numpy as np

from tinyforge.ir.graph import Tensor
from tinyforge.ir.program import KernelCall, Proof, RowInput, Table
from tinyforge.ir.types import Array, IntArray
from tinyforge.ir.window import IDENTITY, AxisMap, Window
from tinyforge.ops.base import Channels, Op, Piece, require_int8, with_literals

ALL_INT8: IntArray = np.arange(-128, 128, dtype=np.int64)
"""Every input value, in the order of the tables."""


def lookup_call(values: IntArray, out: Tensor, index: int = 0) -> KernelCall:
    """out = values[x + 128]; the table is stored in the order of the input's bits (0..127, -128..-1) so that a byte
    read without sign is the index."""
    return KernelCall(
        kernel="tf_lookup_s8",
        header="tf_lookup_s8.h",
        form="rows",
        inputs=(RowInput(index, 1, IDENTITY, IDENTITY),),
        tables=(Table("table", "int8_t", np.roll(np.asarray(values, np.int64), -128)),),
        literals=(("channels", out.type.hwc[2]), ("out_step", out.type.hwc[2])),
        in_place=(index,),
        merge_rows=True,
        proofs=(Proof("table filled by the reference", points=256),),
    )


class Lookup(Op):
    """Base of the one-input operators; subclasses give ``table``."""

    __slots__ = ()
    channels: ClassVar[Channels] = Channels.OWN

    @abstractmethod
    def table(self, x: Tensor, out: Tensor) -> IntArray:
        """Output quanta for the inputs -128..127, as the reference computes them."""

    def infer(self, ins: Sequence[Tensor]) -> tuple[tuple[int, ...], ...]:
        return (ins[0].shape,)

    def check(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> None:
        require_int8([ins[0], outs[0]], self.kind)

    def axes(self, ins: Sequence[Tensor], outs: Sequence[Tensor], index: int) -> tuple[AxisMap, AxisMap] | None:
        return IDENTITY, IDENTITY

    def compute(
        self, pieces: Sequence[Piece], ins: Sequence[Tensor], outs: Sequence[Tensor], window: Window
    ) -> list[Array]:
        values = self.table(ins[0], outs[0])
        x = cut(pieces[0], outs[0], window)
        return [values[np.asarray(x, np.int64) + 128].astype(np.int8)]

    def lower(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> KernelCall:
        return lookup_call(self.table(ins[0], outs[0]), outs[0])

    def slice_axes(self, ins: Sequence[Tensor]) -> tuple[int | None, ...]:
        return (len(ins[0].shape) - 1,)

    def lower_slice(
        self, call: KernelCall, ins: Sequence[Tensor], outs: Sequence[Tensor], slices: int, spread: bool
    ) -> KernelCall | None:
        channels = outs[0].type.hwc[2]
        if channels % slices:
            return None
        share = channels // slices
        return with_literals(call, channels=share, out_step=channels if spread else share)


def cut(piece: Piece, like: Tensor, window: Window) -> Array:
    """The piece's data at ``window``; the whole of tensors without rows and columns."""
    if len(like.shape) != 4 or like.shape[0] != 1:
        return piece.data
    rows, cols = piece.window.rows, piece.window.cols
    return piece.data[
        :, window.rows.lo - rows.lo : window.rows.hi - rows.lo, window.cols.lo - cols.lo : window.cols.hi - cols.lo
    ]


def float_table(x: Tensor, out: Tensor, function: Callable[[float], float]) -> IntArray:
    """Table of a real function as the reference fills its own: every step in float32, halves away from zero.
    ``function`` gets and gives Python floats that are float32 values."""
    inverse = np.float32(1.0) / np.float32(out.type.scale)
    lo, hi = out.type.dtype.limits
    values = []
    for q in range(-128, 128):
        real = np.float32(x.type.scale) * np.float32(q - x.type.zero_point)
        scaled = float(np.float32(np.float32(function(float(real))) * inverse))
        rounded = np.floor(abs(scaled) + 0.5) * (1 if scaled >= 0 else -1)
        values.append(int(np.clip(rounded + out.type.zero_point, lo, hi)))
    return np.array(values, np.int64)
