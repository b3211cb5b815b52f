"""MUL of int8: the product of the offset operands, rescaled once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyforge.ir.fixed_point import quantize_multiplier, requantize
from tinyforge.ir.graph import Tensor
from tinyforge.ir.types import Array, IntArray
from tinyforge.ops.base import Activation, activation_range
from tinyforge.ops.broadcast import Binary, PointForm, operand_values
from tinyforge.ops.point_forms import Exact, product_form


def _ratio(ins: Sequence[Tensor], outs: Sequence[Tensor]) -> float:
    """Product of the input scales over the output scale, in float32 as the reference computes it."""
    product = np.float32(ins[0].type.scale) * np.float32(ins[1].type.scale)
    return float(np.float32(product) / np.float32(outs[0].type.scale))


def product_reference_form(ins: Sequence[Tensor], outs: Sequence[Tensor], activation: Activation) -> PointForm:
    """The reference's own arithmetic."""
    offsets = (-ins[0].type.zero_point, -ins[1].type.zero_point)
    parameters = (*offsets, *quantize_multiplier(_ratio(ins, outs)), outs[0].type.zero_point)
    return PointForm(6, parameters, *activation_range(activation, outs[0].type), "reference arithmetic")


@dataclass(frozen=True, slots=True)
class Mul(Binary):
    """activation(a * b)"""

    activation: Activation
    kind: ClassVar[str] = "mul"

    def quanta(self, a: IntArray, b: IntArray, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> IntArray:
        product = (a - ins[0].type.zero_point) * (b - ins[1].type.zero_point)
        lo, hi = activation_range(self.activation, outs[0].type)
        return requantize(product, *quantize_multiplier(_ratio(ins, outs)), outs[0].type.zero_point, lo, hi)

    def point_form(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> PointForm:
        lo, hi = activation_range(self.activation, outs[0].type)
        a, b = operand_values(ins)
        exact = Exact(a, b, self.quanta(a, b, ins, outs), lo, hi)
        zero_a, zero_b = ins[0].type.zero_point, ins[1].type.zero_point
        found = product_form(exact, _ratio(ins, outs), zero_a, zero_b)
        return found or product_reference_form(ins, outs, self.activation)

    def plain(self, a: Array, b: Array) -> Array:
        return np.asarray(np.multiply(a, b))
