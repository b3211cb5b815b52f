"""TRANSPOSE_CONV: int8, weights OHWI, any stride, explicit padding (what is cut off the full result)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyforge.ir.graph import Tensor
from tinyforge.ir.program import KernelCall, RowInput, Table
from tinyforge.ir.types import Array, IntArray
from tinyforge.ir.window import AxisMap, Interval, Window
from tinyforge.ops.base import Activation, Op, Piece, activation_range, padded_piece, require, require_int8
from tinyforge.ops.scaling import channel_multipliers, convolution_outputs, weights_without_zero


@dataclass(frozen=True, slots=True)
class TransposeConv(Op):
    """Attributes: stride as (rows, cols), padding as (top, bottom, left, right), output_hw the output's extent.

    Input position i adds weight k times its value to output position i * stride - padding + k.
    """

    stride: tuple[int, int]
    padding: tuple[int, int, int, int]
    output_hw: tuple[int, int]
    activation: Activation
    kind: ClassVar[str] = "transpose_conv"

    def infer(self, ins: Sequence[Tensor]) -> tuple[tuple[int, ...], ...]:
        x, w = ins[0].shape, ins[1].shape
        require(len(x) == 4 and len(w) == 4, "transpose_conv: input and weights must have rank 4")
        require(x[3] == w[3], f"transpose_conv: weights are for {w[3]} input channels, the input has {x[3]}")
        require(min(self.output_hw) > 0, f"transpose_conv: the output would be {self.output_hw}")
        return ((x[0], *self.output_hw, w[0]),)

    def check(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> None:
        require_int8([ins[0], ins[1], outs[0]], "transpose_conv")
        require(all(t.is_constant for t in ins[1:3]), "transpose_conv: weights and bias must be constant")
        require(ins[0].shape[0] == 1, "transpose_conv: batch must be 1")

    def axes(self, ins: Sequence[Tensor], outs: Sequence[Tensor], index: int) -> tuple[AxisMap, AxisMap] | None:
        return self._axis(ins[1].shape, 0), self._axis(ins[1].shape, 1)

    def _axis(self, weights: Sequence[int], axis: int) -> AxisMap:
        """Output o hears inputs ceil((o + p - K + 1) / s) .. floor((o + p) / s); a kernel smaller than the stride
        leaves gaps, where the lower bound is moved down to keep the interval from being empty."""
        stride, pad, kernel = self.stride[axis], self.padding[2 * axis], weights[1 + axis]
        return AxisMap(1, stride, pad - max(kernel, stride) + stride, pad)

    def macs(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> int:
        return ins[0].type.elements * ins[1].type.elements // ins[1].shape[3]

    def compute(
        self, pieces: Sequence[Piece], ins: Sequence[Tensor], outs: Sequence[Tensor], window: Window
    ) -> list[Array]:
        axes = self.axes(ins, outs, 0)
        assert axes is not None
        needed = Window(axes[0].needed(window.rows), axes[1].needed(window.cols))
        zero = ins[0].type.zero_point
        x = padded_piece(pieces[0], needed, zero)[0] - zero
        acc = self._scatter(x, weights_without_zero(ins), needed, window)
        return [convolution_outputs(acc, ins, outs[0], ins[1].shape[0], self.activation)[None]]

    def _scatter(self, x: IntArray, w: IntArray, needed: Window, window: Window) -> IntArray:
        """Sum of products per output position of ``window``; x is the input at ``needed``, zero point removed."""
        acc = np.zeros((window.rows.size, window.cols.size, w.shape[0]), np.int64)
        for ky in range(w.shape[1]):
            from_rows, to_rows = self._lines(0, ky, needed.rows, window.rows)
            for kx in range(w.shape[2]):
                from_cols, to_cols = self._lines(1, kx, needed.cols, window.cols)
                part = x[np.ix_(from_rows, from_cols)].astype(np.float64) @ w[:, ky, kx].T.astype(np.float64)
                acc[np.ix_(to_rows, to_cols)] += part.astype(np.int64)
        return acc

    def _lines(self, axis: int, k: int, needed: Interval, out: Interval) -> tuple[IntArray, IntArray]:
        """Indices (input, output), from the starts of the intervals, that meet at kernel position ``k``."""
        i = np.arange(needed.lo, needed.hi, dtype=np.int64)
        o = i * self.stride[axis] - self.padding[2 * axis] + k
        inside = (o >= out.lo) & (o < out.hi)
        return i[inside] - needed.lo, o[inside] - out.lo

    def lower(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> KernelCall:
        axes = self.axes(ins, outs, 0)
        assert axes is not None
        out_c, kh, kw, in_c = ins[1].shape
        lo, hi = activation_range(self.activation, outs[0].type)
        multiplier, shift = channel_multipliers(ins[0].type, ins[1].type, outs[0].type, out_c)
        bias = ins[2].array().astype(np.int64) if len(ins) > 2 else np.zeros(out_c, np.int64)
        return KernelCall(
            kernel="tf_transpose_conv_s8",
            header="tf_transpose_conv_s8.h",
            form="rows",
            inputs=(RowInput(0, -(-kh // self.stride[0]), axes[0], axes[1]),),
            wants_y=True,
            tables=(
                Table("weights", "int8_t", ins[1].array()),
                Table("bias", "int32_t", bias),
                Table("multiplier", "int32_t", multiplier),
                Table("shift", "int8_t", shift),
            ),
            literals=(
                ("kh", kh),
                ("kw", kw),
                ("in_w", ins[0].shape[2]),
                ("in_c", in_c),
                ("out_c", out_c),
                ("stride_h", self.stride[0]),
                ("stride_w", self.stride[1]),
                ("pad_top", self.padding[0]),
                ("pad_left", self.padding[2]),
                ("in_zero", ins[0].type.zero_point),
                ("w_zero", ins[1].type.zero_point),
                ("out_zero", outs[0].type.zero_point),
                ("lo", lo),
                ("hi", hi),
            ),
        )
