"""LOG_SOFTMAX of int8 over the last axis; the output scale is always 16/256 with zero point 127."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyforge.ir.fixed_functions import exp_on_negative_values, log_of_at_least_one
from tinyforge.ir.fixed_point import (
    INT32_MIN,
    multiply_by_quantized_multiplier,
    quantize_multiplier,
    rounding_shift_right,
)
from tinyforge.ir.graph import Tensor
from tinyforge.ir.program import KernelCall, Table
from tinyforge.ir.types import Array, IntArray
from tinyforge.ir.window import Window
from tinyforge.ops.base import Op, Piece, require, require_int8
from tinyforge.ops.softmax import DIFF_BITS, SUM_BITS, check_rows, diff_limit, diff_scaling, diffs_in_q5

OUT_SHIFT = 31 - DIFF_BITS - 4
OUT_ZERO = 127


def _reverse_scaling(multiplier: int, left_shift: int) -> tuple[int, int]:
    """(multiplier, shift) from Q5 back to quanta."""
    return quantize_multiplier((1 << (31 - left_shift)) / multiplier)


def _row(x: IntArray, exps: IntArray, scaling: tuple[int, int]) -> IntArray:
    """One row; ``exps``: Q12 exponential of each difference, short of 256 entries where the rest is 0."""
    below = x.max() - x
    total = int(exps[below[below < exps.size]].sum())
    log_sum = log_of_at_least_one(total, SUM_BITS, DIFF_BITS)
    reverse = multiply_by_quantized_multiplier(log_sum + INT32_MIN, *_reverse_scaling(*scaling))
    smallest = max(-diff_limit(scaling[1]) - 1, int(reverse))
    q5 = multiply_by_quantized_multiplier(-below, *scaling)
    result = np.clip(rounding_shift_right(q5 - log_sum, OUT_SHIFT) + OUT_ZERO, -128, 127)
    return np.asarray(np.where(-below > smallest, result, -128), np.int64)


@dataclass(frozen=True, slots=True)
class LogSoftmax(Op):
    """log(exp(x) / sum(exp(x)))"""

    kind: ClassVar[str] = "log_softmax"

    def infer(self, ins: Sequence[Tensor]) -> tuple[tuple[int, ...], ...]:
        return (ins[0].shape,)

    def check(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> None:
        check_rows(self, ins, 1.0)
        require_int8(outs, self.kind)
        ok = outs[0].type.scale == 1 / 16 and outs[0].type.zero_point == OUT_ZERO
        require(ok, f"log_softmax: output {outs[0].name} must have scale 1/16 and zero point {OUT_ZERO}")

    def compute(
        self, pieces: Sequence[Piece], ins: Sequence[Tensor], outs: Sequence[Tensor], window: Window
    ) -> list[Array]:
        scaling = diff_scaling(ins[0].type.scale, 1.0)
        exps = self._exps(ins[0])
        rows = np.asarray(pieces[0].data, np.int64).reshape(-1, ins[0].shape[-1])
        result = np.stack([_row(row, exps, scaling) for row in rows])
        return [result.reshape(ins[0].shape).astype(np.int8)]

    def _exps(self, x: Tensor) -> IntArray:
        """Q12 exponentials of the differences 0, -1, -2, ..."""
        exps = exp_on_negative_values(diffs_in_q5(*diff_scaling(x.type.scale, 1.0)), DIFF_BITS)
        return rounding_shift_right(exps, SUM_BITS)

    def lower(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> KernelCall:
        multiplier, left_shift = diff_scaling(ins[0].type.scale, 1.0)
        exps = self._exps(ins[0])
        reverse_multiplier, reverse_shift = _reverse_scaling(multiplier, left_shift)
        depth = ins[0].shape[-1]
        return KernelCall(
            kernel="tf_log_softmax_s8",
            header="tf_log_softmax_s8.h",
            form="flat",
            tables=(Table("exp", "int32_t", exps),),
            literals=(
                ("entries", exps.size),
                ("rows", ins[0].type.elements // depth),
                ("depth", depth),
                ("multiplier", multiplier),
                ("left_shift", left_shift),
                ("reverse_multiplier", reverse_multiplier),
                ("reverse_shift", reverse_shift),
                ("diff_min", -diff_limit(left_shift)),
            ),
            in_place=(0,),
        )
