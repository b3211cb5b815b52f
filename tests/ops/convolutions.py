"""Random quantisation of convolution-like operators for the conformance cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tests.ops.conformance import Case, constant
from tests.tflite_writer import same_padding
from tinyforge.ir.graph import Tensor
from tinyforge.ir.types import Quant


def random_weights(rng: np.random.Generator, shape: Sequence[int], axis: int) -> Tensor:
    """int8 weights, per channel or per tensor, one in four all extreme."""
    count = shape[axis] if rng.integers(4) else 1
    scales = np.exp(rng.uniform(np.log(0.002), np.log(0.05), count)).astype(np.float32)
    data = rng.integers(-127, 128, shape) if rng.integers(4) else rng.choice([-127, 127], shape)
    return constant("w", data.astype(np.int8), Quant(tuple(scales.tolist()), (0,) * count, axis if count > 1 else None))


def random_bias(rng: np.random.Generator, x: Quant, w: Tensor, channels: int, spread: int) -> Tensor:
    """int32 bias of the size of the sums."""
    quant = w.type.quant
    assert quant is not None
    scales = tuple(float(np.float32(s * x.scale0)) for s in quant.scale)
    data = rng.integers(-spread, spread + 1, channels).astype(np.int32)
    return constant("b", data, Quant(scales, (0,) * len(scales), 0 if len(scales) > 1 else None))


def fitting_output(rng: np.random.Generator, x: Quant, w: Tensor, taps: int) -> Quant:
    """An output quantisation in which typical sums use the range, sometimes overflow or vanish."""
    quant = w.type.quant
    assert quant is not None
    typical = 70 * 70 * np.sqrt(taps) * x.scale0 * float(np.mean(quant.scale))
    scale = float(np.float32(typical / 60 * np.exp(rng.choice([0, 0, 0, -3, 3]))))
    return Quant((scale,), (int(rng.choice([-128, 127, 0, int(rng.integers(-128, 128))])),))


def random_padding(
    rng: np.random.Generator, hw: Sequence[int], kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> tuple[int, int, int, int]:
    """VALID, SAME or anything up to the kernel's reach; always leaves at least one output."""
    reach = [(k - 1) * d for k, d in zip(kernel, dilation, strict=True)]
    style = int(rng.integers(3))
    if style == 0 and all(n > r for n, r in zip(hw, reach, strict=True)):
        return (0, 0, 0, 0)
    if style == 1:
        rows, cols = (same_padding(*axis) for axis in zip(hw, kernel, stride, dilation, strict=True))
        return (*rows, *cols)
    low = [max(0, r + 1 - n) for n, r in zip(hw, reach, strict=True)]
    extra = [int(rng.integers(0, r + 1)) for r in reach for _ in range(2)]
    return (max(extra[0], low[0]), extra[1], max(extra[2], low[1]), extra[3])


def choice(rng: np.random.Generator, values: Sequence[int]) -> int:
    return int(values[int(rng.integers(len(values)))])


def with_asymmetric_weights(rng: np.random.Generator, case: Case) -> Case:
    """The case with per-tensor weights that have a zero point, as uint8 files do (LiteRT's int8 kernels take none; the
    importer's tests compare uint8 files with it)."""
    w = case.graph.tensors["w"]
    data = rng.choice(np.array([-128, 127], np.int8), w.shape) if rng.integers(2) else w.array()
    quant = Quant((w.type.scale,), (int(rng.choice([-128, 127, -37])),))
    weights = Tensor("w", replace(w.type, quant=quant), data)
    graph = replace(case.graph, tensors={**case.graph.tensors, "w": weights})
    return replace(case, graph=graph, no_litert="int8 files have symmetric weights")
