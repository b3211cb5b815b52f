"""ADD of int8: both operands to a common scale with 20 extra bits, added, rescaled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyforge.ir.fixed_point import multiply_by_quantized_multiplier, quantize_multiplier
from tinyforge.ir.graph import Tensor
from tinyforge.ir.types import Array, IntArray
from tinyforge.ops.base import Activation, activation_range, require
from tinyforge.ops.broadcast import Binary, PointForm, operand_values
from tinyforge.ops.point_forms import Exact, linear_form
from tinyforge.ops.proofs import FULL

LEFT_SHIFT = 20


@dataclass(frozen=True, slots=True)
class SumScaling:
    """(multiplier, shift) of both operands and of their sum. The second operand's
    multiplier is negative where it is subtracted."""

    a: tuple[int, int]
    b: tuple[int, int]
    out: tuple[int, int]


def sum_scaling(ins: Sequence[Tensor], outs: Sequence[Tensor], sign: int) -> SumScaling:
    """As the reference's Prepare: in double, relative to twice the larger input scale."""
    sa, sb = (float(np.float32(t.type.scale)) for t in ins)
    so = float(np.float32(outs[0].type.scale))
    twice = 2.0 * max(sa, sb)
    b = quantize_multiplier(sb / twice)
    out = quantize_multiplier(twice / ((1 << LEFT_SHIFT) * so))
    return SumScaling(quantize_multiplier(sa / twice), (sign * b[0], b[1]), out)


def check_sum(kind: str, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> None:
    """The reference requires the sum's multiplier to be below 1."""
    if outs[0].type.quant is not None:
        shift = sum_scaling(ins, outs, 1).out[1]
        require(shift <= 0, f"{kind}: output scale of {outs[0].name} is too small for its input scales")


def sum_quanta(
    a: IntArray, b: IntArray, ins: Sequence[Tensor], outs: Sequence[Tensor], activation: Activation, sign: int
) -> IntArray:
    """a + sign * b in quanta; exact."""
    scaling = sum_scaling(ins, outs, sign)
    x = multiply_by_quantized_multiplier((a - ins[0].type.zero_point) << LEFT_SHIFT, *scaling.a)
    y = multiply_by_quantized_multiplier((b - ins[1].type.zero_point) << LEFT_SHIFT, *scaling.b)
    lo, hi = activation_range(activation, outs[0].type)
    result = multiply_by_quantized_multiplier(x + y, *scaling.out) + outs[0].type.zero_point
    return np.asarray(np.clip(result, lo, hi), np.int64)


def sum_form(op: Binary, ins: Sequence[Tensor], outs: Sequence[Tensor], activation: Activation, sign: int) -> PointForm:
    """The linear form where it is exact on every pair, else the reference's own arithmetic."""
    lo, hi = activation_range(activation, outs[0].type)
    a, b = operand_values(ins)
    exact = Exact(a, b, op.quanta(a, b, ins, outs), lo, hi)
    zero_a, zero_b = ins[0].type.zero_point, ins[1].type.zero_point
    slopes = [t.type.scale / outs[0].type.scale for t in ins]
    found = linear_form(exact, slopes[0], sign * slopes[1], zero_a, zero_b)
    return found or sum_reference_form(ins, outs, activation, sign)


def sum_reference_form(ins: Sequence[Tensor], outs: Sequence[Tensor], activation: Activation, sign: int) -> PointForm:
    """The reference's own arithmetic."""
    s = sum_scaling(ins, outs, sign)
    zero_a, zero_b = ins[0].type.zero_point, ins[1].type.zero_point
    parameters = (-zero_a, *s.a, -zero_b, *s.b, *s.out, outs[0].type.zero_point)
    return PointForm(5, parameters, *activation_range(activation, outs[0].type), FULL)


@dataclass(frozen=True, slots=True)
class Add(Binary):
    """activation(a + b)"""

    activation: Activation
    kind: ClassVar[str] = "add"

    def check(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> None:
        Binary.check(self, ins, outs)
        check_sum(self.kind, ins, outs)

    def quanta(self, a: IntArray, b: IntArray, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> IntArray:
        return sum_quanta(a, b, ins, outs, self.activation, 1)

    def point_form(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> PointForm:
        return sum_form(self, ins, outs, self.activation, 1)

    def plain(self, a: Array, b: Array) -> Array:
        return np.asarray(np.add(a, b))
