"""Conformance of the resizing operators over sizes and the three conventions of where pixels lie."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.ops.conformance import Case, OpConformance, activation, compute_graph, make_case, random_quant, single_op
from tests.tflite_writer import litert_outputs, write_tflite
from tinyforge.errors import UnsupportedModel
from tinyforge.ir.graph import Graph, Tensor
from tinyforge.ir.types import DType, Quant, TensorType
from tinyforge.ops.concatenation import Concatenation
from tinyforge.ops.resize_bilinear import ResizeBilinear
from tinyforge.ops.resize_nearest_neighbor import ResizeNearestNeighbor

Rng = np.random.Generator
CONVENTIONS = [(False, False), (True, False), (False, True)]
SIZES = [((5, 7), (10, 14)), ((3, 4), (9, 16)), ((8, 6), (4, 3)), ((7, 9), (3, 4)), ((1, 1), (5, 3)), ((6, 5), (1, 1))]


def resize_cases(rng: Rng, kind: type[ResizeBilinear] | type[ResizeNearestNeighbor], dtypes: list[DType]) -> list[Case]:
    found = []
    for align, half in CONVENTIONS:
        pairs = [*SIZES, *(tuple(tuple(map(int, rng.integers(1, 24, 2))) for _ in range(2)) for _ in range(8))]
        for (h, w), size in pairs:
            dtype = dtypes[len(found) % len(dtypes)]
            quant = random_quant(rng) if dtype is DType.INT8 else None
            channels = int(rng.integers(1, 6))
            op = kind(size, align, half)
            x = activation("x", (1, h, w, channels), quant, dtype)
            found.append(make_case(rng, op, [x], [activation("y", (1, *size, channels), quant, dtype)]))
    return found


class TestResizeNearestNeighbor(OpConformance):
    def cases(self, rng: Rng) -> list[Case]:
        both = ResizeNearestNeighbor((7, 9), True, True)
        quant = random_quant(rng)
        x, y = activation("x", (1, 4, 5, 3), quant), activation("y", (1, 7, 9, 3), quant)
        return [
            *resize_cases(rng, ResizeNearestNeighbor, [DType.INT8] * 5 + [DType.FLOAT32]),
            make_case(rng, both, [x], [y]),
        ]


class TestResizeBilinear(OpConformance):
    def cases(self, rng: Rng) -> list[Case]:
        return resize_cases(rng, ResizeBilinear, [DType.INT8])


def test_nearest_sources_of_every_size_equal_the_reference() -> None:
    """All pairs of extents up to 40: the map of rows plus the pick is the float32 result of the reference."""
    for align, half in [*CONVENTIONS, (True, True)]:
        for size in range(1, 41):
            op = ResizeNearestNeighbor((size, size), align, half)
            for extent in range(1, 41):
                axis, picks = op._axis(extent, size)
                found = [(i * axis.num + axis.lo) // axis.den + picks[i] for i in range(size)]
                assert found == op.sources(extent, size)
                assert max(picks) <= 1 or (align and half), (align, half, size, extent, picks)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_nearest_of_long_rows_equals_litert(convention: tuple[bool, bool]) -> None:
    """Long axes are where float32 rounding shows."""
    for extent, size in [(97, 1000), (1000, 97), (641, 480), (333, 999)]:
        x = np.arange(extent, dtype=np.int32).reshape(1, extent, 1, 1)
        ins = [activation("x", x.shape, None, DType.INT32)]
        graph = single_op(
            ResizeNearestNeighbor((size, 1), *convention), ins, [activation("y", (1, size, 1, 1), None, DType.INT32)]
        )
        graph = replace_type(graph, DType.FLOAT32)
        got = litert_outputs(write_tflite(graph), [x.astype(np.float32)])[0].reshape(-1)
        assert got.astype(int).tolist() == ResizeNearestNeighbor((size, 1), *convention).sources(extent, size)


def replace_type(graph: Graph, dtype: DType) -> Graph:
    """The graph with every tensor of another element type."""
    tensors = {n: Tensor(n, TensorType(t.shape, dtype, t.type.quant), t.data) for n, t in graph.tensors.items()}
    return replace(graph, tensors=tensors)


def as_uint8(graph: Graph) -> Graph:
    """The same int8 graph as a uint8 model has it: zero points 128 higher."""
    tensors = {}
    for name, t in graph.tensors.items():
        quant = Quant(t.type.quant.scale, tuple(z + 128 for z in t.type.quant.zero_point)) if t.type.quant else None
        tensors[name] = Tensor(name, TensorType(t.shape, DType.UINT8, quant))
    return replace(graph, tensors=tensors)


def uint8_outputs(graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """LiteRT's output of the uint8 twin, re-based to int8."""
    shifted = [(x.astype(np.int16) + 128).astype(np.uint8) for x in inputs]
    return (litert_outputs(write_tflite(as_uint8(graph)), shifted)[0].astype(np.int16) - 128).astype(np.int8)


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("factor", [(2, 2), (4, 2), (8, 1), (1, 1)])
def test_bilinear_of_uint8_models(convention: tuple[bool, bool], factor: tuple[int, int]) -> None:
    rng = np.random.default_rng(5)
    h, w = 5, 9
    size = (h * factor[0], w * factor[1])
    if convention[0]:
        size = ((h - 1) * factor[0] + 1, (w - 1) * factor[1] + 1)
    op = ResizeBilinear(size, *convention, from_uint8=True)
    quant = Quant((0.25,), (3,))
    ins, outs = [activation("x", (1, h, w, 3), quant)], [activation("y", (1, *size, 3), quant)]
    op.check(ins, outs)
    graph = single_op(op, ins, outs)
    x = rng.integers(-128, 128, ins[0].shape).astype(np.int8)
    np.testing.assert_array_equal(compute_graph(graph, [x])[0], uint8_outputs(graph, [x]))


def test_bilinear_of_uint8_models_that_need_float_is_refused() -> None:
    quant = Quant((0.25,), (3,))
    op = ResizeBilinear((7, 7), from_uint8=True)
    with pytest.raises(UnsupportedModel, match="float arithmetic"):
        op.check([activation("x", (1, 5, 5, 3), quant)], [activation("y", (1, 7, 7, 3), quant)])


def test_concatenation_of_several_scales_equals_litert_in_uint8() -> None:
    rng = np.random.default_rng(7)
    everything = np.arange(-128, 128).astype(np.int8).reshape(1, 256)
    for _ in range(40):
        ins = [activation(f"x{i}", (1, 256), random_quant(rng)) for i in range(3)]
        graph = single_op(Concatenation(1), ins, [activation("y", (1, 768), random_quant(rng))])
        inputs = [everything] * 3
        np.testing.assert_array_equal(compute_graph(graph, inputs)[0], uint8_outputs(graph, inputs))
