"""Elementwise operators of two int8 tensors with broadcasting: shapes, windows, reference and the three kernel forms.

Forms: both activations row by row, one activation row by row with the constant as a table, and a flat form for
broadcasts that rows cannot express. A scalar constant makes the operator a 256-byte table.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tinyforge.errors import UnsupportedModel
from tinyforge.ir.graph import Tensor
from tinyforge.ir.program import KernelCall, Proof, RowInput, Table
from tinyforge.ir.types import Array, DType, IntArray, TensorType
from tinyforge.ir.window import IDENTITY, AxisMap, Window
from tinyforge.ops.base import Op, Piece, require
from tinyforge.ops.lookup import ALL_INT8, lookup_call

FIXED = AxisMap(0, 1, 0, 0)
"""Every output position needs position 0: the input has extent 1 there."""

PARAMETERS = 10
FLAT_DIMS = 4


@dataclass(frozen=True, slots=True)
class PointForm:
    """How one output is computed from one pair of inputs: ``code`` of firmware/kernels/tf_binary_s8.h and its
    parameters p0, p1, ...; ``note`` is its name. It was compared with the reference on all points, or is its own."""

    code: int
    parameters: tuple[int, ...]
    lo: int
    hi: int
    note: str


def spatial(kind: TensorType) -> bool:
    """Whether the tensor has rows and columns: rank 4, batch 1."""
    return len(kind.shape) == 4 and kind.shape[0] == 1


def extended(shape: Sequence[int], rank: int) -> tuple[int, ...]:
    return (1,) * (rank - len(shape)) + tuple(shape)


class Binary(Op):
    """Base of add, sub, mul, maximum and minimum. Subclasses give ``quanta`` (the exact integer function) and
    ``point_form`` (how C computes it)."""

    __slots__ = ()

    @abstractmethod
    def quanta(self, a: IntArray, b: IntArray, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> IntArray:
        """Output quanta for broadcastable int64 arrays of input quanta, integer for integer as the reference."""

    @abstractmethod
    def point_form(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> PointForm:
        """The cheapest proven form of ``quanta``."""

    @abstractmethod
    def plain(self, a: Array, b: Array) -> Array:
        """The function on plain integers (shape arithmetic on constants)."""

    def infer(self, ins: Sequence[Tensor]) -> tuple[tuple[int, ...], ...]:
        try:
            return (tuple(int(n) for n in np.broadcast_shapes(ins[0].shape, ins[1].shape)),)
        except ValueError:
            raise UnsupportedModel(f"{self.kind}: shapes {ins[0].shape} and {ins[1].shape} do not broadcast") from None

    def check(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> None:
        if all(t.is_constant for t in ins):
            return
        for t in (*ins, *outs):
            require(
                t.type.dtype is DType.INT8,
                f"{self.kind}: tensor {t.name} is {t.type.dtype.value}; only int8 is supported outside of constants",
            )
        if _layout(ins, outs[0]) is None:
            _flat_dims(ins, outs[0])

    def axes(self, ins: Sequence[Tensor], outs: Sequence[Tensor], index: int) -> tuple[AxisMap, AxisMap] | None:
        if _layout(ins, outs[0]) is None:
            return None
        x, y = ins[index].type.hwc, outs[0].type.hwc
        rows = IDENTITY if x[0] == y[0] else FIXED
        return rows, IDENTITY if x[1] == y[1] else FIXED

    def compute(
        self, pieces: Sequence[Piece], ins: Sequence[Tensor], outs: Sequence[Tensor], window: Window
    ) -> list[Array]:
        out = outs[0].type
        if out.dtype is not DType.INT8:
            return [np.asarray(self.plain(pieces[0].data, pieces[1].data), out.dtype.numpy)]
        a, b = (_operand(p, t, out, window) for p, t in zip(pieces, ins, strict=True))
        return [self.quanta(a, b, ins, outs).astype(np.int8)]

    def lower(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> KernelCall:
        scalar = next((i for i in (0, 1) if ins[i].is_constant and ins[i].type.elements == 1), None)
        if scalar is not None and ins[1 - scalar].shape == outs[0].shape:
            return self._as_table(ins, outs, scalar)
        form = self.point_form(ins, outs)
        parameters = (*form.parameters, *(0,) * (PARAMETERS - len(form.parameters)))
        point = (("form", form.code), *((f"p{i}", p) for i, p in enumerate(parameters)))
        literals = (*point, ("lo", form.lo), ("hi", form.hi))
        layout = _layout(ins, outs[0])
        call = _flat_call(ins, outs[0], literals) if layout is None else _rows_call(self, ins, outs, layout, literals)
        a, b = operand_values(ins)
        return replace(call, proofs=(Proof(form.note, points=a.size * b.size),))

    def _as_table(self, ins: Sequence[Tensor], outs: Sequence[Tensor], scalar: int) -> KernelCall:
        constant = np.asarray(ins[scalar].array(), np.int64).reshape(1)
        a, b = (constant, ALL_INT8) if scalar == 0 else (ALL_INT8, constant)
        return lookup_call(self.quanta(a, b, ins, outs), outs[0], index=1 - scalar)


def operand_values(ins: Sequence[Tensor]) -> tuple[IntArray, IntArray]:
    """All values each operand can take, as a column and a row: a constant only takes its own."""
    a, b = (np.unique(np.asarray(t.array(), np.int64)) if t.is_constant else ALL_INT8 for t in ins)
    return a[:, None], b[None, :]


def _operand(piece: Piece, tensor: Tensor, out: TensorType, window: Window) -> IntArray:
    """The part of an input that ``window`` of the output needs, int64, broadcastable to the window."""
    data = np.asarray(piece.data, np.int64)
    if not spatial(out):
        return data
    data = np.asarray(data.reshape(extended(data.shape, 4)), np.int64)
    height, width = extended(tensor.shape, 4)[1:3]
    at = piece.window if spatial(tensor.type) else Window.full(height, width)
    if height > 1:
        data = data[:, window.rows.lo - at.rows.lo : window.rows.hi - at.rows.lo]
    if width > 1:
        data = data[:, :, window.cols.lo - at.cols.lo : window.cols.hi - at.cols.lo]
    return data


@dataclass(frozen=True, slots=True)
class _Steps:
    """Elements from one row, pixel, channel to the next in one operand's storage; 0 where it is broadcast."""

    row: int
    pixel: int
    channel: int

    def merges(self, height: int) -> bool:
        """Whether H rows of W pixels read like one row of H*W pixels."""
        return height == 1 or (self.row == 0) == (self.pixel == 0)


def _layout(ins: Sequence[Tensor], out: Tensor) -> tuple[_Steps, _Steps] | None:
    """Steps of both operands in the row form; None where the row form cannot express the broadcast."""
    found = []
    for t in ins:
        steps = _steps(t, out)
        if steps is None:
            return None
        found.append(steps)
    return found[0], found[1]


def _steps(t: Tensor, out: Tensor) -> _Steps | None:
    h, w, c = out.type.hwc
    if t.shape == out.shape:
        return _Steps(w * c if h > 1 else 0, c if h * w > 1 else 0, 1)
    if t.type.elements == 1 and (t.is_constant or spatial(out.type)):
        return _Steps(0, 0, 0)
    if not spatial(out.type):
        return None
    _, th, tw, tc = extended(t.shape, 4)
    if not t.is_constant and not spatial(t.type) and (th, tw) != (1, 1):
        return None
    return _Steps(tw * tc if th > 1 else 0, tc if tw > 1 else 0, 1 if tc > 1 else 0)


def _rows_call(
    op: Op,
    ins: Sequence[Tensor],
    outs: Sequence[Tensor],
    steps: tuple[_Steps, _Steps],
    literals: tuple[tuple[str, int], ...],
) -> KernelCall:
    active = [i for i, t in enumerate(ins) if not t.is_constant]
    inputs = []
    for i in active:
        axes = op.axes(ins, outs, i)
        assert axes is not None
        inputs.append(RowInput(i, 1, axes[0], axes[1]))
    channels = ("channels", outs[0].type.hwc[2])
    shape: tuple[tuple[str, int], ...]
    tables: tuple[Table, ...] = ()
    if len(active) == 2:
        shape = (channels, *_step_literals("a", steps[0]), *_step_literals("b", steps[1]))
    else:
        x, k = active[0], 1 - active[0]
        tables = (Table("operand", "int8_t", ins[k].array()),)
        row = ("table_row", steps[k].row)
        shape = (("swap", int(k == 0)), channels, *_step_literals("x", steps[x]), row, *_step_literals("t", steps[k]))
    return KernelCall(
        kernel="tf_binary_s8" if len(active) == 2 else "tf_binary_table_s8",
        header="tf_binary_s8.h",
        form="rows",
        inputs=tuple(inputs),
        tables=tables,
        literals=(*shape, *literals),
        wants_y=len(active) == 1,
        in_place=tuple(i for i in active if ins[i].shape == outs[0].shape),
        merge_rows=all(s.merges(outs[0].type.hwc[0]) for s in steps),
    )


def _step_literals(name: str, steps: _Steps) -> tuple[tuple[str, int], ...]:
    return (f"{name}_pixel", steps.pixel), (f"{name}_channel", steps.channel)


def _flat_dims(ins: Sequence[Tensor], out: Tensor) -> list[tuple[int, int, int]]:
    """(extent, step of a, step of b) per loop, outermost first; neighbours that step alike are one loop."""
    rank = len(out.shape)
    strides = []
    for t in ins:
        shape = extended(t.shape, rank)
        size = [int(np.prod(shape[i + 1 :])) for i in range(rank)]
        strides.append([0 if n == 1 else s for n, s in zip(shape, size, strict=True)])
    dims: list[tuple[int, int, int]] = []
    for n, a, b in zip(out.shape, *strides, strict=True):
        if n == 1:
            continue
        if dims and dims[-1][1] == a * n and dims[-1][2] == b * n:
            dims[-1] = (dims[-1][0] * n, a, b)
        else:
            dims.append((n, a, b))
    require(
        len(dims) <= FLAT_DIMS,
        f"broadcast of {ins[0].shape} with {ins[1].shape} needs {len(dims)} nested loops, at most {FLAT_DIMS} are "
        "supported; reshape or tile one operand in the model",
    )
    return [(1, 0, 0)] * (FLAT_DIMS - len(dims)) + dims


def _flat_call(ins: Sequence[Tensor], out: Tensor, literals: tuple[tuple[str, int], ...]) -> KernelCall:
    dims = _flat_dims(ins, out)
    swap = int(ins[0].is_constant)
    tables = tuple(Table("operand", "int8_t", t.array()) for t in ins if t.is_constant)
    loops = tuple(
        pair
        for i, (n, a, b) in enumerate(dims)
        for pair in ((f"n{i}", n), (f"x{i}", b if swap else a), (f"t{i}", a if swap else b))
    )
    return KernelCall(
        kernel="tf_binary_flat_table_s8" if tables else "tf_binary_flat_s8",
        header="tf_binary_s8.h",
        form="flat",
        tables=tables,
        literals=((("swap", swap),) if tables else ()) + loops + literals,
        in_place=tuple(i for i, t in enumerate(ins) if not t.is_constant and t.shape == out.shape),
    )
