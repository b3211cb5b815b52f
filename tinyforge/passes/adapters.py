"""What the caller does at the edges of a compiled network, in numpy, integer for integer as the reference does it."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np

from tinyforge.errors import UsageError
from tinyforge.ir.graph import Adapter
from tinyforge.ir.types import Array, DType, Quant, TensorType
from tinyforge.ops.quantize import quantize_float, rescale


def to_model(adapters: Sequence[Adapter], value: Array) -> Array:
    """A value as the file takes it -> as the compiled network does. Raises UsageError for a wrong shape or dtype."""
    for adapter in adapters:
        _check(adapter, value)
        value = _TO_MODEL[adapter.kind](adapter, value)
    return np.ascontiguousarray(value)


def from_model(adapters: Sequence[Adapter], value: Array) -> Array:
    """A value as the compiled network gives it -> as the file gives it."""
    for adapter in reversed(adapters):
        value = _FROM_MODEL[adapter.kind](adapter, value).reshape(adapter.shape)
    return np.ascontiguousarray(value)


def _check(adapter: Adapter, value: Array) -> None:
    if tuple(value.shape) != adapter.shape or str(value.dtype) != adapter.dtype:
        raise UsageError(
            f"the model takes {adapter.dtype}{list(adapter.shape)}, the given array is {value.dtype}{list(value.shape)}"
        )


def _rebase(adapter: Adapter, value: Any) -> Any:
    return np.bitwise_xor(value.astype(np.uint8), 0x80).view(np.int8)


def _rebase_back(adapter: Adapter, value: Any) -> Any:
    return np.bitwise_xor(value.astype(np.int8).view(np.uint8), 0x80)


def quantize(scale: float, zero_point: int, value: Any) -> Any:
    """float32 -> int8 as the reference QUANTIZE does it."""
    return quantize_float(np.asarray(value, np.float32), scale, zero_point, DType.INT8).astype(np.int8)


def dequantize(scale: float, zero_point: int, value: Any) -> Any:
    """int8 -> float32 as the reference DEQUANTIZE: the scale in double, the product rounded to float32."""
    return (np.float64(np.float32(scale)) * (value.astype(np.int64) - zero_point)).astype(np.float32)


def _file_type(adapter: Adapter) -> TensorType:
    quant = Quant((adapter.file_scale,), (adapter.file_zero_point,))
    return TensorType(adapter.shape, DType(adapter.dtype), quant)


def _network_type(adapter: Adapter) -> TensorType:
    return TensorType(adapter.shape, DType.INT8, Quant((adapter.scale,), (adapter.zero_point,)))


def _requantize(adapter: Adapter, value: Any) -> Any:
    return rescale(value.astype(np.int64), _file_type(adapter), _network_type(adapter)).astype(np.int8)


def _requantize_back(adapter: Adapter, value: Any) -> Any:
    return rescale(value.astype(np.int64), _network_type(adapter), _file_type(adapter)).astype(adapter.dtype)


def _log_softmax(adapter: Adapter, value: Any) -> Any:
    """Along the last axis, in float32 steps as the reference does it."""
    x = value.astype(np.float32)
    shifted = x - x.max(axis=-1, keepdims=True)
    return shifted - _libm("logf", np.log, _serial_sum(_libm("expf", np.exp, shifted)))


def _softmax(adapter: Adapter, value: Any) -> Any:
    """Along the last axis; ``adapter.scale`` is beta."""
    x = value.astype(np.float32)
    powers = _libm("expf", np.exp, (x - x.max(axis=-1, keepdims=True)) * np.float32(adapter.scale))
    return powers / _serial_sum(powers)


def _libm(name: str, fallback: Any, x: Any) -> Any:
    """The C library's float function, which the reference kernels call and whose last bit is its own; without one the
    correctly rounded result."""
    function = _c_function(name)
    if function is None:
        return fallback(x.astype(np.float64)).astype(np.float32)
    return np.array([function(float(v)) for v in x.reshape(-1)], np.float32).reshape(x.shape)


@functools.lru_cache
def _c_function(name: str) -> Callable[[float], float] | None:
    try:
        function = getattr(ctypes.CDLL(None), name)
    except (OSError, TypeError, AttributeError):
        return None
    function.argtypes, function.restype = [ctypes.c_float], ctypes.c_float
    return cast("Callable[[float], float]", function)


def _serial_sum(x: Any) -> Any:
    """float32 sum in index order, as a plain loop adds."""
    total = np.zeros((*x.shape[:-1], 1), np.float32)
    for i in range(x.shape[-1]):
        total = total + x[..., i : i + 1]
    return total


_Step = Callable[[Adapter, Any], Any]

_TO_MODEL: dict[str, _Step] = {
    "rebase": _rebase,
    "requantize": _requantize,
    "quantize": lambda a, v: quantize(a.scale, a.zero_point, v),
    "dequantize": lambda a, v: dequantize(a.scale, a.zero_point, v),
    "transpose": lambda a, v: v.transpose(a.perm),
    "reshape": lambda a, v: v.reshape(-1),
}
_FROM_MODEL: dict[str, _Step] = {
    "rebase": _rebase_back,
    "requantize": _requantize_back,
    "quantize": lambda a, v: quantize(a.scale, a.zero_point, v),
    "dequantize": lambda a, v: dequantize(a.scale, a.zero_point, v),
    "transpose": lambda a, v: v.transpose(a.perm),
    "reshape": lambda a, v: v,
    "softmax": _softmax,
    "log_softmax": _log_softmax,
}
