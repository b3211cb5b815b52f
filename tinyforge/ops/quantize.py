"""QUANTIZE: float32 -> int8, and rescaling among int8 and int16 quantisations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from tinyforge.ir.fixed_point import quantize_multiplier, requantize
from tinyforge.ir.graph import Tensor
from tinyforge.ir.program import KernelCall, Table
from tinyforge.ir.types import Array, DType, IntArray, TensorType
from tinyforge.ir.window import IDENTITY, AxisMap, Window
from tinyforge.ops.base import Op, Piece, require
from tinyforge.ops.lookup import ALL_INT8, cut, lookup_call

PAIRS = {
    (DType.FLOAT32, DType.INT8),
    (DType.INT8, DType.INT8),
    (DType.INT16, DType.INT8),
    (DType.INT8, DType.INT16),
}


def quantize_float(x: npt.NDArray[np.float32], scale: float, zero_point: int, out: DType) -> IntArray:
    """As AffineQuantize: the quotient in float32, halves away from zero, clamped. NaN becomes the lowest value."""
    lo, hi = out.limits
    with np.errstate(over="ignore", invalid="ignore"):
        quotient = (x / np.float32(scale)).astype(np.float64)
    rounded = np.where(quotient >= 0, np.floor(quotient + 0.5), np.ceil(quotient - 0.5))
    bounded = np.where(np.isnan(rounded), -(2.0**20), np.clip(rounded, -(2.0**20), 2.0**20))
    return np.clip(bounded.astype(np.int64) + zero_point, lo, hi)


def ordered(x: npt.NDArray[np.float32]) -> IntArray:
    """int32 keys in the order of the floats: the bits, the magnitude complemented below zero. -0 and 0 differ by 1."""
    bits = x.view(np.int32).astype(np.int64)
    return np.where(bits >= 0, bits, bits ^ 0x7FFFFFFF)


def from_ordered(keys: IntArray) -> npt.NDArray[np.float32]:
    """Inverse of ``ordered``."""
    return np.where(keys >= 0, keys, keys ^ 0x7FFFFFFF).astype(np.int32).view(np.float32)


def thresholds(scale: float, zero_point: int) -> IntArray:
    """Key of the smallest float that quantises to -127, -126, ..., 127: exact by bisection, as rounding is monotone."""
    infinity = int(ordered(np.array([np.inf], np.float32))[0])
    goals = np.arange(-127, 128, dtype=np.int64)
    low, high = np.full(255, -infinity - 1, np.int64), np.full(255, infinity, np.int64)
    while np.any(low < high):
        middle = (low + high) >> 1
        reached = quantize_float(from_ordered(middle), scale, zero_point, DType.INT8) >= goals
        low, high = np.where(reached, low, middle + 1), np.where(reached, middle, high)
    return low


@dataclass(frozen=True, slots=True)
class Quantize(Op):
    """The same real values in another type or quantisation."""

    kind: ClassVar[str] = "quantize"

    def infer(self, ins: Sequence[Tensor]) -> tuple[tuple[int, ...], ...]:
        return (ins[0].shape,)

    def check(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> None:
        x, y = ins[0].type, outs[0].type
        require(
            (x.dtype, y.dtype) in PAIRS,
            f"quantize: {x.dtype.value} -> {y.dtype.value} ({outs[0].name}) is not supported; only float32, int8 or "
            "int16 -> int8, and int8 -> int16",
        )
        require(y.quant is not None and not y.quant.per_channel, f"quantize: {outs[0].name} needs one scale")

    def axes(self, ins: Sequence[Tensor], outs: Sequence[Tensor], index: int) -> tuple[AxisMap, AxisMap] | None:
        return (IDENTITY, IDENTITY) if ins[0].type.dtype is outs[0].type.dtype else None

    def compute(
        self, pieces: Sequence[Piece], ins: Sequence[Tensor], outs: Sequence[Tensor], window: Window
    ) -> list[Array]:
        x, y = ins[0].type, outs[0].type
        if x.dtype is DType.FLOAT32:
            real = np.asarray(pieces[0].data, np.float32)
            return [quantize_float(real, y.scale, y.zero_point, y.dtype).astype(y.dtype.numpy)]
        data = cut(pieces[0], outs[0], window) if x.dtype is y.dtype else pieces[0].data
        return [rescale(np.asarray(data, np.int64), x, y).astype(y.dtype.numpy)]

    def lower(self, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> KernelCall:
        x, y = ins[0], outs[0]
        if x.type.dtype is y.type.dtype:
            return lookup_call(rescale(ALL_INT8, x.type, y.type), y)
        if x.type.dtype is DType.FLOAT32:
            steps = Table("steps", "int32_t", thresholds(y.type.scale, y.type.zero_point))
            return KernelCall(
                "tf_quantize_f32_s8", "tf_quantize_s8.h", "flat", tables=(steps,), literals=(("n", y.type.elements),)
            )
        multiplier, shift = _scaling(x.type, y.type)
        literals = (
            ("n", y.type.elements),
            ("in_zero", x.type.zero_point),
            ("multiplier", multiplier),
            ("shift", shift),
            ("out_zero", y.type.zero_point),
        )
        kernel = "tf_quantize_s16_s8" if y.type.dtype is DType.INT8 else "tf_quantize_s8_s16"
        return KernelCall(kernel, "tf_quantize_s8.h", "flat", literals=literals)


def rescale(x: IntArray, source: TensorType, out: TensorType) -> IntArray:
    """Quanta of one quantisation -> quanta of another, clamped to the type, as the reference's Requantize."""
    multiplier, shift = _scaling(source, out)
    return requantize(x - source.zero_point, multiplier, shift, out.zero_point, *out.dtype.limits)


def _scaling(x: TensorType, out: TensorType) -> tuple[int, int]:
    return quantize_multiplier(float(np.float32(x.scale)) / float(np.float32(out.scale)))
