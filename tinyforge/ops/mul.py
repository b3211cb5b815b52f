"""MUL of int8: the product of the offset operands, rescaled once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyforge.ir.fixed_point import quantize_multiplier, requantize
from tinyforge.ir.graph import Tensor
from tinyforge.ir.program import KernelCall, Proof, RowInput
from tinyforge.ir.types import Array, IntArray
from tinyforge.ir.window import IDENTITY
from tinyforge.ops.base import Activation, activation_range
from tinyforge.ops.broadcast import FIXED, Binary, PointForm, operand_values, spatial
from tinyforge.ops.point_forms import Exact, channel_product, product_form
from tinyforge.ops.proofs import FULL


def _ratio(ins: Sequence[Tensor], outs: Sequence[Tensor]) -> float:
    """Product of the input scales over the output scale, in float32 as the reference computes it."""
    product = np.float32(ins[0].type.scale) * np.float32(ins[1].type.scale)
    return float(np.float32(product) / np.float32(outs[0].type.scale))


def product_reference_form(ins: Sequence[Tensor], outs: Sequence[Tensor], activation: Activation) -> PointForm:
    """The reference's own arithmetic."""
    offsets = (-ins[0].type.zero_point, -ins[1].type.zero_point)
    parameters = (*offsets, *quantize_multiplier(_ratio(ins, outs)), outs[0].type.zero_point)
    return PointForm(6, parameters, *activation_range(activation, outs[0].type), FULL)


def _map_and_channels(a: Tensor, b: Tensor, out: Tensor) -> bool:
    """Whether ``a`` is a feature map of several pixels and ``b`` one value for each of its channels."""
    same = a.shape == out.shape and spatial(a.type) and a.type.hwc[0] * a.type.hwc[1] > 1
    return same and not b.is_constant and not a.is_constant and b.shape == (1, 1, 1, a.shape[3])


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

    def lower(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> KernelCall:
        return self._channel_call(ins, outs) or Binary.lower(self, ins, outs)

    def _channel_call(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> KernelCall | None:
        """The kernel for a map times one value a channel, where the operands are such and a form is proven."""
        big = next((i for i in (0, 1) if _map_and_channels(ins[i], ins[1 - i], outs[0])), None)
        if big is None:
            return None
        pair = (ins[big], ins[1 - big])
        lo, hi = activation_range(self.activation, outs[0].type)
        a, b = operand_values(pair)
        exact = Exact(a, b, self.quanta(a, b, pair, outs), lo, hi)
        zeros = (pair[0].type.zero_point, pair[1].type.zero_point)
        form = channel_product(exact, _ratio(pair, outs), *zeros)
        if form is None:
            return None
        literals = (
            ("channels", outs[0].shape[3]),
            ("wide", form.wide),
            ("offset_a", -zeros[0]),
            ("offset_b", -zeros[1]),
            ("left", form.left),
            ("factor", form.factor),
            ("add", form.add),
            ("shift", form.shift),
            ("lo", lo),
            ("hi", hi),
        )
        return KernelCall(
            kernel="tf_mul_channels_s8",
            header="tf_mul_channels_s8.h",
            form="rows",
            inputs=(RowInput(big, 1, IDENTITY, IDENTITY), RowInput(1 - big, 1, FIXED, FIXED)),
            literals=literals,
            in_place=(big,),
            merge_rows=True,
            proofs=(Proof("product with a part per channel", points=exact.want.size),),
        )

    def plain(self, a: Array, b: Array) -> Array:
        return np.asarray(np.multiply(a, b))
