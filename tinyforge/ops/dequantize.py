"""DEQUANTIZE: int8, uint8 or int16 -> float32, computed with integers only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyforge.ir.graph import Tensor
from tinyforge.ir.program import KernelCall
from tinyforge.ir.types import Array, DType
from tinyforge.ir.window import Window
from tinyforge.ops.base import Op, Piece, require

KERNELS = {
    DType.INT8: "tf_dequantize_s8_f32",
    DType.UINT8: "tf_dequantize_u8_f32",
    DType.INT16: "tf_dequantize_s16_f32",
}
SMALLEST, LARGEST = 2.0**-100, 2.0**100
"""Scales in between give neither denormal nor infinite results."""


@dataclass(frozen=True, slots=True)
class Dequantize(Op):
    """scale * (x - zero_point), the product rounded once to float32."""

    kind: ClassVar[str] = "dequantize"

    def infer(self, ins: Sequence[Tensor]) -> tuple[tuple[int, ...], ...]:
        return (ins[0].shape,)

    def check(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> None:
        x, y = ins[0].type, outs[0].type
        require(
            x.dtype in KERNELS and y.dtype is DType.FLOAT32,
            f"dequantize: {x.dtype.value} -> {y.dtype.value} ({outs[0].name}) is not supported; only int8, uint8 or "
            "int16 -> float32",
        )
        require(x.quant is not None and not x.quant.per_channel, f"dequantize: {ins[0].name} needs one scale")
        require(SMALLEST < x.scale < LARGEST, f"dequantize: scale {x.scale} of {ins[0].name} is out of range")

    def compute(
        self, pieces: Sequence[Piece], ins: Sequence[Tensor], outs: Sequence[Tensor], window: Window
    ) -> list[Array]:
        x = ins[0].type
        real = np.float64(np.float32(x.scale)) * (np.asarray(pieces[0].data, np.int64) - x.zero_point)
        return [real.astype(np.float32)]

    def lower(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> KernelCall:
        x = ins[0].type
        fraction, exponent = math.frexp(float(np.float32(x.scale)))
        return KernelCall(
            kernel=KERNELS[x.dtype],
            header="tf_dequantize_f32.h",
            form="flat",
            literals=(
                ("n", x.elements),
                ("zero_point", x.zero_point),
                ("mantissa", int(fraction * (1 << 24))),
                ("exponent", exponent - 24),
            ),
        )
