"""CONCATENATION on any axis; operands of another scale are brought to the output's as uint8 models do it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyforge.ir.fixed_point import round_half_away
from tinyforge.ir.graph import Tensor
from tinyforge.ir.program import KernelCall, Part, RowInput, Table
from tinyforge.ir.types import Array, DType, TensorType
from tinyforge.ir.window import AxisMap, Interval, Window
from tinyforge.ops.base import Activation, Op, Piece, require
from tinyforge.ops.movement import (
    WIDEST,
    StridedCopy,
    cut,
    is_map,
    overlap,
    pixel_bytes,
    raw_table,
    require_same_dtype,
    shifted,
    strides,
)


def rescale_table(x: TensorType, out: TensorType) -> Array | None:
    """Output value of each int8 input value (index q + 128), None where the quantisation is the same.

    The reference does this for uint8 only (it refuses int8), in float32 on the unsigned values.
    """
    if (x.scale, x.zero_point) == (out.scale, out.zero_point):
        return None
    scale = np.float32(x.scale) * (np.float32(1) / np.float32(out.scale))
    bias = np.float32(-(x.zero_point + 128)) * scale
    values = np.arange(256, dtype=np.float32) * scale + bias
    rounded = np.array([round_half_away(float(v)) for v in values], np.int64) + out.zero_point + 128
    return (np.clip(rounded, 0, 255) - 128).astype(np.int8)


@dataclass(frozen=True, slots=True)
class Concatenation(Op):
    """Attributes: axis (non-negative), activation (only none, as in the reference)."""

    axis: int
    activation: Activation = Activation.NONE
    kind: ClassVar[str] = "concatenation"

    def infer(self, ins: Sequence[Tensor]) -> tuple[tuple[int, ...], ...]:
        shape = list(ins[0].shape)
        require(0 <= self.axis < len(shape), f"concatenation: axis {self.axis} of rank {len(shape)}")
        for t in ins[1:]:
            same = [n for i, n in enumerate(t.shape) if i != self.axis]
            require(
                len(t.shape) == len(shape) and same == [n for i, n in enumerate(shape) if i != self.axis],
                f"concatenation: shapes {ins[0].shape} and {t.shape} differ outside axis {self.axis}",
            )
        shape[self.axis] = sum(t.shape[self.axis] for t in ins)
        return (tuple(shape),)

    def check(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> None:
        require(self.activation is Activation.NONE, "concatenation: a fused activation is not supported")
        require_same_dtype([*ins, *outs], "concatenation")
        for t in ins:
            same = (t.type.scale, t.type.zero_point) == (outs[0].type.scale, outs[0].type.zero_point)
            require(
                same or t.type.dtype is not DType.INT16,
                f"concatenation: {t.name} has another scale than the output; only 8-bit operands are rescaled",
            )

    def _windowed(self, outs: Sequence[Tensor]) -> bool:
        return is_map(outs[0].type) and self.axis > 0

    def _starts(self, ins: Sequence[Tensor]) -> list[int]:
        """Where each operand begins along the axis."""
        sizes = [t.shape[self.axis] for t in ins]
        return [sum(sizes[:i]) for i in range(len(sizes))]

    def _at(self, ins: Sequence[Tensor], index: int) -> tuple[int, int, int]:
        """Row, column and channel of the output where operand ``index`` begins."""
        start = self._starts(ins)[index]
        return (start, 0, 0) if self.axis == 1 else (0, start, 0) if self.axis == 2 else (0, 0, start)

    def axes(self, ins: Sequence[Tensor], outs: Sequence[Tensor], index: int) -> tuple[AxisMap, AxisMap] | None:
        if not self._windowed(outs):
            return None
        y, x, _ = self._at(ins, index)
        return AxisMap(1, 1, -y, -y), AxisMap(1, 1, -x, -x)

    def _table(self, x: Tensor, out: Tensor) -> Array | None:
        return rescale_table(x.type, out.type) if x.type.dtype is DType.INT8 else None

    def compute(
        self, pieces: Sequence[Piece], ins: Sequence[Tensor], outs: Sequence[Tensor], window: Window
    ) -> list[Array]:
        parts = []
        for i, (piece, t) in enumerate(zip(pieces, ins, strict=True)):
            data = piece.data
            if self._windowed(outs):
                y, x, _ = self._at(ins, i)
                rows = overlap(shifted(window.rows, -y), Interval(0, t.shape[1]))
                cols = overlap(shifted(window.cols, -x), Interval(0, t.shape[2]))
                if not rows.size or not cols.size:
                    continue
                data = cut(piece, rows, cols)
            table = self._table(t, outs[0])
            parts.append(data if table is None else table[data.astype(np.int64) + 128])
        return [np.concatenate(parts, axis=self.axis)]

    def lower(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> KernelCall:
        form = "rows" if self._windowed(outs) else "flat"
        tables: list[Table] = []
        inputs: list[RowInput] = []
        parts = []
        for i, t in enumerate(ins):
            lookup = self._table(t, outs[0])
            if t.is_constant:
                data = t.array() if lookup is None else lookup[t.array().astype(np.int64) + 128]
                tables.append(raw_table(f"operand{i}", data))
            elif lookup is not None:
                tables.append(Table(f"rescale{i}", "int8_t", lookup))
            if form == "rows" and not t.is_constant:
                axes = self.axes(ins, outs, i)
                assert axes is not None
                inputs.append(RowInput(i, 1, *axes))
            table = (len(tables) - 1,) if t.is_constant or lookup is not None else ()
            operand = () if t.is_constant else (len(inputs) - 1 if form == "rows" else i,)
            make = self._row_part if form == "rows" else self._flat_part
            parts.append(make(ins, outs[0], i, operand, table))
        return KernelCall(
            kernel="",
            header="tf_runtime.h",
            form=form,
            inputs=tuple(inputs),
            tables=tuple(tables),
            parts=tuple(parts),
            merge_rows=form == "rows" and self.axis == 3 and not any(t.is_constant for t in ins),
        )

    def _row_part(
        self, ins: Sequence[Tensor], out: Tensor, index: int, operand: tuple[int, ...], table: tuple[int, ...]
    ) -> Part:
        t = ins[index]
        y, x, c = self._at(ins, index)
        merged = self.axis == 3 and not any(i.is_constant for i in ins)
        place = (
            ("in_w", WIDEST if merged else t.shape[2]),
            ("at_x", x),
            ("in_pixel", pixel_bytes(t.type)),
            ("out_pixel", pixel_bytes(out.type)),
            ("at_c", c * t.type.dtype.itemsize),
        )
        if t.is_constant:
            literals = (("in_h", t.shape[1]), ("at_y", y), *place)
            kernel = "tf_place_const_row"
            return Part(kernel, (), (0,), table, literals, wants_y=True, header=f"{kernel}.h")
        kernel = "tf_place_mapped_row" if table else "tf_place_row"
        return Part(kernel, operand, (0,), table, place, header=f"{kernel}.h")

    def _flat_part(
        self, ins: Sequence[Tensor], out: Tensor, index: int, operand: tuple[int, ...], table: tuple[int, ...]
    ) -> Part:
        t = ins[index]
        to = strides(out.shape)
        at = self._starts(ins)[index] * to[self.axis]
        if table and operand:
            run = t.shape[self.axis] * to[self.axis]
            out_run = out.shape[self.axis] * to[self.axis]
            runs = (("outer", t.type.elements // run), ("in_run", run), ("out_run", out_run), ("out_at", at))
            return Part("tf_map_runs", operand, (0,), table, runs, header="tf_map_runs.h")
        copy = StridedCopy(tuple(zip(t.shape, strides(t.shape), to, strict=True)), 0, at)
        kernel = "tf_put_nd" if table else "tf_copy_nd"
        literals = copy.literals(t.type.dtype.itemsize, "concatenation")
        return Part(kernel, operand, (0,), table, literals, header=f"{kernel}.h")
