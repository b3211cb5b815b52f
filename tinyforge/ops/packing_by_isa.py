"""Which packing of weights of a byte each an instruction set has."""

from __future__ import annotations

from tinyforge.ir.program import Isa
from tinyforge.ir.types import IntArray
from tinyforge.ops.packing_bytes import PackedBytes
from tinyforge.ops.packing_mve import pack_matmul_mve
from tinyforge.ops.packing_scalar import pack_matmul_scalar
from tinyforge.ops.requant import Rescale


def pack_bytes(isa: Isa, weights: IntArray, bias: IntArray, rescale: Rescale) -> PackedBytes | None:
    """The stream for ``weights`` (channels, values) and folded ``bias``; None where ``isa`` or the layout has none."""
    if isa is Isa.MVE:
        return pack_matmul_mve(weights, bias, rescale)
    return pack_matmul_scalar(weights, bias, rescale) if isa is Isa.SCALAR else None
