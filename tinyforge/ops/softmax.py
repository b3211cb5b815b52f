"""SOFTMAX over the last axis, int8 -> int8 or int16; exponentials are a table over the difference to the maximum."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyforge.ir.fixed_functions import exp_on_negative_values, reciprocal
from tinyforge.ir.fixed_point import doubling_high_mul, quantize_multiplier, rounding_shift_right
from tinyforge.ir.graph import Tensor
from tinyforge.ir.program import KernelCall, Table
from tinyforge.ir.types import Array, DType, IntArray
from tinyforge.ir.window import Window
from tinyforge.ops.base import Op, Piece, require, require_int8

DIFF_BITS = 5
SUM_BITS = 12
MAX_DEPTH = 4096
"""The reference's sum of exponentials is safe for this many terms."""


def diff_scaling(scale: float, beta: float) -> tuple[int, int]:
    """(multiplier, left shift) from quanta to Q5 differences."""
    real = min(beta * scale * (1 << (31 - DIFF_BITS)), 2.0**31 - 1.0)
    return quantize_multiplier(real)


def diff_limit(left_shift: int) -> int:
    """Differences below minus this are treated as exp = 0 (CalculateInputRadius)."""
    return math.floor(((1 << DIFF_BITS) - 1) * (1 << (31 - DIFF_BITS)) / (1 << left_shift))


def diffs_in_q5(multiplier: int, left_shift: int) -> IntArray:
    """Q5 value of each difference 0, -1, -2, ... that counts."""
    count = min(255, diff_limit(left_shift)) + 1
    return doubling_high_mul(-np.arange(count, dtype=np.int64) << left_shift, multiplier)


def exp_table(scale: float, beta: float) -> IntArray:
    """exp(-k * scale * beta) in Q0 for k = 0, 1, ...; what follows the table's end is 0."""
    table = exp_on_negative_values(diffs_in_q5(*diff_scaling(scale, beta)), DIFF_BITS)
    return table[: int(np.flatnonzero(table)[-1]) + 1]


def check_rows(op: Op, ins: Sequence[Tensor], beta: float) -> None:
    """What softmax and log_softmax need of their input."""
    require_int8(ins[:1], op.kind)
    x = ins[0]
    require(len(x.shape) > 0 and x.type.quant is not None, f"{op.kind}: {x.name} must be quantised and not a scalar")
    require(x.shape[-1] <= MAX_DEPTH, f"{op.kind}: {x.name} has {x.shape[-1]} classes, the limit is {MAX_DEPTH}")
    _, left_shift = diff_scaling(x.type.scale, beta)
    require(0 <= left_shift <= 31, f"{op.kind}: scale {x.type.scale} of {x.name} times beta {beta} is out of range")


@dataclass(frozen=True, slots=True)
class Softmax(Op):
    """exp(beta * x) / sum(exp(beta * x))"""

    beta: float
    kind: ClassVar[str] = "softmax"

    def infer(self, ins: Sequence[Tensor]) -> tuple[tuple[int, ...], ...]:
        return (ins[0].shape,)

    def check(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> None:
        check_rows(self, ins, self.beta)
        out = outs[0].type
        require(out.dtype in (DType.INT8, DType.INT16), f"softmax: output {outs[0].name} must be int8 or int16")
        scale, zero = (1 / 256, -128) if out.dtype is DType.INT8 else (1 / 65536, -32768)
        ok = out.zero_point == zero and abs(out.scale - scale) < 0.001 * scale
        require(ok, f"softmax: output {outs[0].name} must have scale {scale} and zero point {zero}")

    def compute(
        self, pieces: Sequence[Piece], ins: Sequence[Tensor], outs: Sequence[Tensor], window: Window
    ) -> list[Array]:
        table = np.zeros(256, np.int64)
        found = exp_table(ins[0].type.scale, self.beta)
        table[: found.size] = found
        x = np.asarray(pieces[0].data, np.int64)
        exps = table[x.max(axis=-1, keepdims=True) - x]
        total = rounding_shift_right(exps, SUM_BITS).sum(axis=-1, keepdims=True)
        scale, bits = reciprocal(total, SUM_BITS)
        lo, hi = outs[0].type.dtype.limits
        shift = bits + 31 - outs[0].type.dtype.itemsize * 8
        shifted = rounding_shift_right(doubling_high_mul(scale, exps), np.minimum(shift, 31))
        result = np.where(shift > 31, 0, shifted) + lo
        return [np.clip(result, lo, hi).astype(outs[0].type.dtype.numpy)]

    def lower(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> KernelCall:
        table = exp_table(ins[0].type.scale, self.beta)
        depth = ins[0].shape[-1]
        small = outs[0].type.dtype is DType.INT8
        return KernelCall(
            kernel="tf_softmax_s8" if small else "tf_softmax_s8_s16",
            header="tf_softmax_s8.h",
            form="flat",
            tables=(Table("exp", "int32_t", table),),
            literals=(("entries", table.size), ("rows", ins[0].type.elements // depth), ("depth", depth)),
            in_place=(0,) if small else (),
        )
