"""Weights of a byte each, for the instruction sets whose kernels read such: Helium, and cores without SMLAD."""

from __future__ import annotations

from tinyforge.ir.program import Isa
from tinyforge.ir.types import IntArray
from tinyforge.ops.packing_mve import PackedBytes, pack_matmul_mve
from tinyforge.ops.packing_scalar import pack_matmul_scalar
from tinyforge.ops.requant import Rescale

WINDOW_KERNELS = ("tf_conv2d_mve_s8", "tf_conv2d_scalar_s8")
BYTES_KERNELS = (*WINDOW_KERNELS, "tf_pointwise_mve_s8", "tf_pointwise_scalar_s8")


def pack_bytes(isa: Isa, weights: IntArray, bias: IntArray, rescale: Rescale) -> PackedBytes | None:
    """The stream for ``weights`` (channels, values) and folded ``bias``; None where ``isa`` or the layout has none."""
    if isa is Isa.MVE:
        return pack_matmul_mve(weights, bias, rescale)
    return pack_matmul_scalar(weights, bias, rescale) if isa is Isa.SCALAR else None
