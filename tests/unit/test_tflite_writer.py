"""The writer's files run in LiteRT and agree with the operators' references; every entry produces a loadable file."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.tflite_writer import WRITERS, litert_outputs, litert_tensors, write_tflite
from tinyforge.ir.graph import Graph, Node, Tensor
from tinyforge.ir.types import DType, Quant, TensorType
from tinyforge.ir.window import Window
from tinyforge.ops.base import Activation, Piece
from tinyforge.ops.conv2d import Conv2D

Q = Quant((0.05,), (3,))
RNG = np.random.default_rng(0)


def activation(name: str, shape: tuple[int, ...], quant: Quant | None = Q, dtype: DType = DType.INT8) -> Tensor:
    return Tensor(name, TensorType(shape, dtype, quant))


def constant(name: str, data: Any, quant: Quant | None = None) -> Tensor:
    return Tensor(name, TensorType(data.shape, DType(str(data.dtype)), quant), data)


def weights(*shape: int, axis: int = 0) -> Tensor:
    n = shape[axis]
    data = RNG.integers(-127, 128, shape).astype(np.int8)
    return constant("w", data, Quant(tuple(np.linspace(0.01, 0.03, n).astype(np.float32).tolist()), (0,) * n, axis))


def graph(op: Any, ins: list[Tensor], outs: list[Tensor]) -> Graph:
    node = Node("node", op, tuple(t.name for t in ins), tuple(t.name for t in outs))
    tensors = {t.name: t for t in (*ins, *outs)}
    inputs = tuple(t.name for t in ins if t.data is None)
    return Graph("test", tensors, (node,), inputs, tuple(t.name for t in outs))


def random_inputs(g: Graph) -> list[Any]:
    return [
        RNG.integers(-128, 128, t.shape).astype(np.int8) if t.type.dtype is DType.INT8 else RNG.normal(0, 2, t.shape)
        for t in (g.tensors[name] for name in g.inputs)
    ]


@pytest.mark.parametrize("padding", [(0, 0, 0, 0), (0, 1, 0, 1), (1, 1, 1, 1), (2, 0, 1, 3)])
def test_conv2d_equals_reference(padding: tuple[int, int, int, int]) -> None:
    op = Conv2D((2, 2), (1, 1), padding, Activation.RELU)
    x, w = activation("x", (1, 8, 6, 3)), weights(4, 3, 3, 3)
    shape = op.infer([x, w])[0]
    out = activation("y", shape, Quant((0.2,), (-5,)))
    g = graph(op, [x, w], [out])
    (value,) = random_inputs(g)
    (expected,) = litert_outputs(write_tflite(g), [value])
    (got,) = op.compute([Piece.whole(value), Piece.whole(w.array())], [x, w], [out], Window.full(*shape[1:3]))
    np.testing.assert_array_equal(got, expected)


NONE = Activation.NONE
X4 = activation("x", (1, 4, 6, 8))
LOGISTIC = Quant((1 / 256,), (-128,))


def ns(kind: str, **fields: Any) -> Any:
    return SimpleNamespace(kind=kind, **fields)


CASES: list[tuple[Any, list[Tensor], list[Tensor]]] = [
    (
        ns("conv2d", stride=(1, 2), dilation=(1, 1), padding=(0, 0, 0, 0), activation=NONE),
        [X4, weights(5, 2, 3, 8), constant("b", np.arange(5, dtype=np.int32), Quant((0.0005,) * 5, (0,) * 5, 0))],
        [activation("y", (1, 3, 2, 5))],
    ),
    (
        ns("depthwise_conv2d", stride=(1, 1), dilation=(1, 1), padding=(1, 1, 1, 1), multiplier=2, activation=NONE),
        [X4, weights(1, 3, 3, 16, axis=3)],
        [activation("y", (1, 4, 6, 16))],
    ),
    (
        ns("transpose_conv", stride=(2, 2), padding=(0, 1, 0, 1), output_hw=(8, 12), activation=NONE),
        [X4, weights(3, 3, 3, 8)],
        [activation("y", (1, 8, 12, 3))],
    ),
    (
        ns("fully_connected", activation=Activation.RELU6, keep_dims=False),
        [activation("x", (2, 8)), weights(5, 8)],
        [activation("y", (2, 5))],
    ),
    *[
        (
            ns(kind, size=(2, 3), stride=(2, 2), padding=(0, 0, 0, 1), activation=NONE),
            [X4],
            [activation("y", (1, 2, 3, 8))],
        )
        for kind in ("average_pool2d", "max_pool2d")
    ],
    *[(ns(kind, reduce_axes=(1, 2), keep_dims=False), [X4], [activation("y", (1, 8))]) for kind in ("mean", "sum")],
    *[
        (ns(kind, activation=NONE), [X4, activation("z", (1, 1, 1, 8))], [activation("y", (1, 4, 6, 8))])
        for kind in ("add", "sub", "mul", "maximum", "minimum")
    ],
    (ns("pad", paddings=((0, 0), (1, 2), (0, 3), (0, 0)), value=None), [X4], [activation("y", (1, 7, 9, 8))]),
    (ns("pad", paddings=((0, 0), (1, 2), (0, 3), (0, 0)), value=-7), [X4], [activation("y", (1, 7, 9, 8))]),
    (ns("reshape", shape=(1, 24, 8)), [X4], [activation("y", (1, 24, 8))]),
    (ns("softmax", beta=1.0), [activation("x", (1, 9))], [activation("y", (1, 9), LOGISTIC)]),
    (ns("log_softmax"), [activation("x", (1, 9))], [activation("y", (1, 9), Quant((16 / 256,), (127,)))]),
    (ns("logistic"), [X4], [activation("y", X4.shape, LOGISTIC)]),
    (ns("tanh"), [X4], [activation("y", X4.shape, Quant((1 / 128,), (0,)))]),
    *[(ns(kind), [X4], [activation("y", X4.shape)]) for kind in ("relu", "relu6", "relu_n1_to_1", "hard_swish")],
    *[(ns("gelu", approximate=v), [X4], [activation("y", X4.shape)]) for v in (False, True)],
    (ns("leaky_relu", alpha=0.2), [X4], [activation("y", X4.shape)]),
    (
        ns("prelu"),
        [X4, constant("a", np.arange(-4, 4, dtype=np.int8).reshape(1, 1, 8), Quant((0.02,), (1,)))],
        [activation("y", X4.shape)],
    ),
    (
        ns("concatenation", axis=3, activation=NONE),
        [X4, activation("z", (1, 4, 6, 2))],
        [activation("y", (1, 4, 6, 10))],
    ),
    (ns("split", axis=3, sizes=(4, 4)), [X4], [activation(n, (1, 4, 6, 4)) for n in "yz"]),
    (ns("split", axis=3, sizes=(3, 5)), [X4], [activation("y", (1, 4, 6, 3)), activation("z", (1, 4, 6, 5))]),
    (ns("slice", begin=(0, 1, 2, 0), size=(1, 2, 3, 8)), [X4], [activation("y", (1, 2, 3, 8))]),
    (
        ns("strided_slice", begin=(0, 3, 1, 0), end=(1, -5, 6, 8), strides=(1, -1, 2, 1), shrink_axes=()),
        [X4],
        [activation("y", (1, 4, 3, 8))],
    ),
    (
        ns("strided_slice", begin=(0, 3, 1, 0), end=(1, 4, 6, 8), strides=(1, 1, 2, 1), shrink_axes=(1,)),
        [X4],
        [activation("y", (1, 3, 8))],
    ),
    (ns("pack", axis=1), [X4, activation("z", X4.shape)], [activation("y", (1, 2, 4, 6, 8))]),
    (ns("unpack", axis=1), [activation("x", (1, 2, 6, 8))], [activation(n, (1, 6, 8)) for n in "yz"]),
    (ns("transpose", perm=(0, 3, 1, 2)), [X4], [activation("y", (1, 8, 4, 6))]),
    *[
        (ns(kind, size=(8, 9), align_corners=False, half_pixel_centers=True), [X4], [activation("y", (1, 8, 9, 8))])
        for kind in ("resize_nearest_neighbor", "resize_bilinear")
    ],
    (ns("quantize"), [activation("x", (1, 9), None, DType.FLOAT32)], [activation("y", (1, 9))]),
    (ns("quantize"), [X4], [activation("y", X4.shape, Quant((0.1,), (0,)))]),
    (ns("dequantize"), [X4], [activation("y", X4.shape, None, DType.FLOAT32)]),
    *[(ns(kind, axis=3), [X4], [activation("y", (1, 4, 6), None, DType.INT32)]) for kind in ("arg_max", "arg_min")],
    (ns("depth_to_space", block=2), [X4], [activation("y", (1, 8, 12, 2))]),
    (ns("space_to_depth", block=2), [X4], [activation("y", (1, 2, 3, 32))]),
    (ns("squeeze", dims=(0,)), [X4], [activation("y", (4, 6, 8))]),
    (ns("expand_dims", axis=1), [X4], [activation("y", (1, 1, 4, 6, 8))]),
    (ns("space_to_batch_nd", block=(2, 3), table=((0, 0), (0, 0))), [X4], [activation("y", (6, 2, 2, 8))]),
    (
        ns("batch_to_space_nd", block=(2, 3), table=((0, 1), (1, 0))),
        [activation("x", (6, 2, 2, 8))],
        [activation("y", (1, 3, 5, 8))],
    ),
    (ns("tile", counts=(1, 2, 1, 1)), [X4], [activation("y", (1, 8, 6, 8))]),
    (ns("reduce_max", reduce_axes=(1, 2), keep_dims=False), [X4], [activation("y", (1, 8))]),
    (ns("shape"), [X4], [activation("y", (4,), None, DType.INT32)]),
    (
        ns("fill"),
        [constant("dims", np.array([2, 3], np.int32)), constant("value", np.array(7, np.int32))],
        [activation("y", (2, 3), None, DType.INT32)],
    ),
]


@pytest.mark.parametrize("op,ins,outs", CASES, ids=lambda v: getattr(v, "kind", ""))
def test_every_operator_runs_in_litert(op: Any, ins: list[Tensor], outs: list[Tensor]) -> None:
    g = graph(op, ins, outs)
    results = litert_outputs(write_tflite(g), random_inputs(g))
    assert [r.shape for r in results] == [t.shape for t in outs]
    assert [str(r.dtype) for r in results] == [t.type.dtype.value for t in outs]


def test_every_entry_is_tried() -> None:
    assert {case[0].kind for case in CASES} >= set(WRITERS) - {"sin", "cast"}


def test_tensors_by_name() -> None:
    op, ins, outs = CASES[0]
    g = graph(op, ins, outs)
    values = random_inputs(g)
    data = write_tflite(g)
    np.testing.assert_array_equal(litert_tensors(data, values)["y"], litert_outputs(data, values)[0])
