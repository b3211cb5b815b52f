"""RawTensor -> Tensor: element types, quantisation, constants; uint8 re-based to int8."""

from __future__ import annotations

import math

import numpy as np

from tinyforge.errors import UnsupportedModel
from tinyforge.importers.from_tflite_raw import RawTensor
from tinyforge.ir.graph import Tensor
from tinyforge.ir.types import Array, DType, Quant, TensorType

DTYPES = {
    "INT8": DType.INT8,
    "UINT8": DType.UINT8,
    "INT16": DType.INT16,
    "INT32": DType.INT32,
    "INT64": DType.INT64,
    "FLOAT32": DType.FLOAT32,
    "BOOL": DType.BOOL,
}
REBASE = 128  # uint8 value - 128 = int8 value, for contents and zero points alike


def convert_tensor(raw: RawTensor) -> Tensor:
    """The tensor as the graph holds it. Raises UnsupportedModel with the reason where that is impossible."""
    if raw.trouble:
        raise UnsupportedModel(raw.trouble)
    if raw.dtype not in DTYPES:
        raise UnsupportedModel(f"tensor {raw.name} has element type {raw.dtype.lower()}")
    if raw.variable:
        raise UnsupportedModel(f"tensor {raw.name} is a state kept between inferences (recurrent network)")
    if 0 in raw.shape:
        raise UnsupportedModel(f"tensor {raw.name} is empty (shape {list(raw.shape)})")
    dtype = DTYPES[raw.dtype]
    quant = quantisation(raw, dtype)
    data = _content(raw, dtype) if raw.data is not None else None
    if dtype is DType.UINT8 and quant is not None:
        dtype = DType.INT8
        quant = Quant(quant.scale, tuple(z - REBASE for z in quant.zero_point), quant.axis)
        data = None if data is None else np.bitwise_xor(data.astype(np.uint8), 0x80).view(np.int8)
    return Tensor(raw.name, TensorType(raw.shape, dtype, quant), data)


def _content(raw: RawTensor, dtype: DType) -> Array:
    assert raw.data is not None
    expected = math.prod(raw.shape) * dtype.itemsize
    if raw.data.size != expected:
        raise UnsupportedModel(f"constant {raw.name} holds {raw.data.size:,} bytes, its shape needs {expected:,}")
    return np.frombuffer(raw.data.tobytes(), dtype.numpy.newbyteorder("<")).reshape(raw.shape)


def quantisation(raw: RawTensor, dtype: DType) -> Quant | None:
    """Quantisation; scales that say nothing (on float tensors) are dropped."""
    if not raw.scale or dtype in (DType.FLOAT32, DType.BOOL):
        return None
    if not all(math.isfinite(s) and s >= 0 for s in raw.scale):
        raise UnsupportedModel(f"tensor {raw.name} has a scale that is negative or not a number")
    if raw.data is None and raw.scale[0] == 0:
        raise UnsupportedModel(f"tensor {raw.name} has scale 0")
    zero_point = raw.zero_point or (0,) * len(raw.scale)
    lo, hi = dtype.limits
    if not all(lo <= z <= hi for z in zero_point):
        raise UnsupportedModel(f"tensor {raw.name} has a zero point outside {dtype.value}")
    if len(raw.scale) == 1:
        return Quant(raw.scale, zero_point)
    return Quant(raw.scale, zero_point, _axis(raw))


def _axis(raw: RawTensor) -> int:
    """Axis of a per-channel tensor. Older converters wrote the weights' axis on rank-1 biases too: then it is 0."""
    axis = 0 if len(raw.shape) == 1 else raw.axis
    if not 0 <= axis < len(raw.shape) or raw.shape[axis] != len(raw.scale):
        raise UnsupportedModel(
            f"tensor {raw.name} of shape {list(raw.shape)} has {len(raw.scale)} scales along dimension {raw.axis}"
        )
    return axis
