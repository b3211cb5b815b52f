"""Shape arithmetic of the file (SHAPE -> STRIDED_SLICE -> PACK -> RESHAPE, ...) evaluated while importing.

Shapes are static here, so these chains of small integer tensors are constants; only their results matter.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinyforge.errors import UnsupportedModel
from tinyforge.importers.from_tflite_ops import Operands
from tinyforge.importers.from_tflite_slices import strided_slice
from tinyforge.ir.types import Array

MAX_ITEMS = 1024  # longest list of numbers that counts as shape arithmetic
_INTEGERS = ("INT32", "INT64")


def is_shape_arithmetic(o: Operands) -> bool:
    """Whether the operator yields integers that can be known now: SHAPE, or known integers in and integers out. FILL
    gives quantised ones too: the first state of an unrolled recurrent network."""
    integers = (*_INTEGERS, "INT8") if o.op.code == "FILL" else _INTEGERS
    if o.op.code not in EVALUATORS or not all(out.dtype in integers for out in o.outs) or len(o.outs) != 1:
        return False
    if o.op.code == "SHAPE":
        return True
    known = [t.data for t in o.ins if t is not None]
    return bool(known) and all(d is not None and d.dtype.kind == "i" and d.size <= MAX_ITEMS for d in known)


def evaluate(o: Operands) -> Array:
    """The operator's result. Raises UnsupportedModel when the operands make no sense."""
    result = np.asarray(EVALUATORS[o.op.code](o), o.outs[0].dtype.lower())
    if result.size > MAX_ITEMS or result.ndim > 8:
        raise UnsupportedModel(f"shape arithmetic gives {result.size:,} numbers, the limit is {MAX_ITEMS:,}")
    return result


def _values(o: Operands) -> list[Any]:
    return [o.x(i).array().astype(np.int64) for i in range(len(o.op.inputs))]


def _ufunc(function: Callable[[Any, Any], Any]) -> Callable[[Operands], Any]:
    def run(o: Operands) -> Any:
        a, b = _values(o)
        if math.prod(np.broadcast_shapes(a.shape, b.shape)) > MAX_ITEMS:
            raise UnsupportedModel("shape arithmetic on long lists")
        return function(a, b)

    return run


def _slice(o: Operands) -> Any:
    x = _values(o)[0]
    return x[tuple(slice(b, None if s == -1 else b + s) for b, s in zip(o.integers(1), o.integers(2), strict=True))]


def _strided(o: Operands) -> Any:
    x = _values(o)[0]
    span = strided_slice(x.shape, o.integers(1), o.integers(2), o.integers(3), o.op.options)
    index: list[Any] = []
    for axis, (b, e, s) in enumerate(zip(span["begin"], span["end"], span["strides"], strict=True)):
        index.append(b if axis in span["shrink_axes"] else slice(b, None if e < 0 else e, s))
    return x[tuple(index)]


def _gather(o: Operands) -> Any:
    x, indices = _values(o)
    if o.op.options.get("BatchDims", 0) or x.size * indices.size > MAX_ITEMS**2:
        raise UnsupportedModel("gather with batch dimensions")
    return np.take(x, indices, axis=o.axis(int(o.op.options.get("Axis", 0)), x.ndim))


def _product(o: Operands) -> Any:
    x = _values(o)[0]
    axes = tuple(o.axis(a, x.ndim) for a in o.integers(1))
    return x.prod(axis=axes, keepdims=bool(o.op.options.get("KeepDims", False)))


def _fill(o: Operands) -> Any:
    shape = o.integers(0)
    if any(side < 0 for side in shape) or math.prod(shape) > MAX_ITEMS:
        raise UnsupportedModel(f"FILL of {list(shape)}: the limit is {MAX_ITEMS:,} numbers")
    return np.full(shape, o.x(1).array())


def _stack(o: Operands) -> Any:
    return np.stack(_values(o), axis=int(o.option("Axis")))


def _concatenate(o: Operands) -> Any:
    return np.concatenate(_values(o), axis=int(o.option("Axis")))


EVALUATORS: dict[str, Callable[[Operands], Any]] = {
    "SHAPE": lambda o: o.x().shape,
    "STRIDED_SLICE": _strided,
    "SLICE": _slice,
    "PACK": _stack,
    "CONCATENATION": _concatenate,
    "GATHER": _gather,
    "REDUCE_PROD": _product,
    "FILL": _fill,
    "CAST": lambda o: _values(o)[0],
    "RESHAPE": lambda o: _values(o)[0].reshape(o.integers(1)),
    "SQUEEZE": lambda o: _values(o)[0].squeeze(),
    "EXPAND_DIMS": lambda o: np.expand_dims(_values(o)[0], o.integers(1)[0]),
    "ADD": _ufunc(np.add),
    "SUB": _ufunc(np.subtract),
    "MUL": _ufunc(np.multiply),
    "MAXIMUM": _ufunc(np.maximum),
    "MINIMUM": _ufunc(np.minimum),
}
