"""The importer on small files: what each odd corner of the format becomes, always compared with LiteRT's results."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as S

from tests.graph_builder import CONV, NONE, POOL, GraphBuilder, assert_like_litert, imported, kinds
from tests.tflite_writer import pack, to_model
from tinyforge.errors import ModelError, UnsupportedModel
from tinyforge.importers.from_tflite import _convert, graph_of
from tinyforge.importers.from_tflite_raw import parse_tflite
from tinyforge.importers.load import import_model, inspect_model
from tinyforge.ir.types import Quant
from tinyforge.ops.base import Activation


def refusal(model: Any) -> str:
    with pytest.raises(UnsupportedModel) as caught:
        graph_of(parse_tflite(pack(model), "small.tflite"))
    return str(caught.value)


def conv_model(dtype: str = "int8", **fields: Any) -> tuple[GraphBuilder, list[str], list[str]]:
    b = GraphBuilder(3, dtype)
    zero = 128 if dtype == "uint8" else 0
    x = b.input((1, 9, 7, 3), (0.1, zero))
    op = CONV | {"padding": (1, 1, 1, 1)} | fields
    y = b.op("conv2d", [x, b.const((5, 3, 3, 3), (0.02, zero)), b.bias(5)], (1, 9, 7, 5), (0.5, zero), **op)
    return b, [x], [y]


@pytest.mark.parametrize(
    "size,kernel,stride", [((9, 7), (3, 3), (2, 2)), ((8, 5), (2, 4), (3, 1)), ((3, 3), (5, 4), (1, 2))]
)
def test_same_padding_by_tensorflows_rule(
    size: tuple[int, int], kernel: tuple[int, int], stride: tuple[int, int]
) -> None:
    b = GraphBuilder(4)
    x = b.input((1, *size, 2))
    out = (1, -(-size[0] // stride[0]), -(-size[1] // stride[1]), 3)
    fields = CONV | {"stride": stride, "padding": (0, 0, 0, 0)}
    y = b.op("conv2d", [x, b.const((3, *kernel, 2)), b.bias(3)], out, (0.3, 2), **fields)

    def same(model: Any) -> None:
        model.subgraphs[0].operators[0].builtinOptions.padding = S.Padding.SAME

    assert_like_litert(b, [x], [y], change=same)


def test_open_batch_becomes_one() -> None:
    b, inputs, outputs = conv_model()

    def open_batch(model: Any) -> None:
        for tensor in model.subgraphs[0].tensors:
            if tensor.shape and len(tensor.shape) == 4 and tensor.buffer == 0:
                tensor.shapeSignature = [-1, *tensor.shape[1:]]

    assert assert_like_litert(b, inputs, outputs, change=open_batch).tensors[inputs[0]].shape == (1, 9, 7, 3)


def test_open_height_is_refused() -> None:
    b, inputs, outputs = conv_model()
    model = to_model(b.graph(inputs, outputs))
    model.subgraphs[0].tensors[0].shapeSignature = [1, -1, 7, 3]
    assert "no fixed shape" in refusal(model)


def test_shape_arithmetic_is_folded() -> None:
    """x.reshape(x.shape[0], 1, -1) as Keras writes it."""
    b = GraphBuilder()
    x = b.input((1, 4, 6))
    shape = b.op("shape", [x], (3,), None, "int32")
    one = b.add("one", (), "int32", None, np.array(1, np.int32))
    rest = b.add("rest", (), "int32", None, np.array(-1, np.int32))
    slice_fields = {"begin": (0,), "end": (1,), "strides": (1,), "shrink_axes": (0,)}
    first = b.op("strided_slice", [shape], (), None, "int32", **slice_fields)
    packed = b.op("pack", [first, one, rest], (3,), None, "int32", axis=0)
    y = b.op("reshape", [x, packed], (1, 1, 24), shape=(1, 1, 24))

    def computed_shape(model: Any) -> None:
        graph = model.subgraphs[0]
        ids = {tensor.name: i for i, tensor in enumerate(graph.tensors)}
        graph.operators[-1].inputs = [ids[x], ids[packed]]

    assert kinds(assert_like_litert(b, [x], [y], change=computed_shape)) == ["reshape"]


def test_the_first_state_of_an_unrolled_recurrent_network_is_folded() -> None:
    """FILL with zeros and the product with it, as Keras unrolls a GRU."""
    b, rng = GraphBuilder(), np.random.default_rng(0)
    x = b.input((1, 6))
    dims = b.add("dims", (2,), "int32", None, np.array([1, 4], np.int32))
    zero = b.add("zero", (), "int8", (0.1, 3), np.array(5, np.int8))
    weights = b.add("w", (6, 4), "int8", (0.02, 0), rng.integers(-127, 128, (6, 4)).astype(np.int8))
    state = b.op("fill", [dims, zero], (1, 4), (0.1, 3), "int8")
    product = b.op("fully_connected", [state, weights], (1, 6), (0.05, -7), activation=NONE, keep_dims=False)
    y = b.op("add", [x, product], (1, 6), activation=NONE)
    assert kinds(assert_like_litert(b, [x], [y])) == ["add"]


def test_a_fill_that_is_too_large() -> None:
    b = GraphBuilder()
    x = b.input((1, 6))
    dims = b.add("dims", (2,), "int32", None, np.array([4096, 4096], np.int32))
    zero = b.add("zero", (), "int32", None, np.array(0, np.int32))
    y = b.op("add", [x, b.op("fill", [dims, zero], (1, 6), None, "int32")], (1, 6), activation=NONE)
    assert "FILL of [4096, 4096]" in refusal(to_model(b.graph([x], [y])))


def test_squeeze_and_expand_dims_are_reshapes() -> None:
    b = GraphBuilder()
    x = b.input((1, 4, 1, 6))
    y = b.op("squeeze", [x], (1, 4, 6), dims=(2,))
    z = b.op("expand_dims", [y], (1, 4, 6, 1), axis=-1)
    assert kinds(assert_like_litert(b, [x], [z])) == ["reshape"]


@pytest.mark.parametrize(
    "masks,out",
    [
        ({"beginMask": 0b0110, "endMask": 0b0010}, (1, 6, 5, 3)),
        ({"ellipsisMask": 0b0010}, (1, 6, 8, 2)),
        ({"shrinkAxisMask": 0b0100}, (1, 4, 3)),
    ],
)
def test_strided_slice_masks(masks: dict[str, int], out: tuple[int, ...]) -> None:
    b = GraphBuilder()
    x = b.input((1, 6, 8, 3))
    fields = {"begin": (0, 1, 2, 0), "end": (1, 5, 7, 3), "strides": (1, 1, 1, 1), "shrink_axes": ()}
    y = b.op("strided_slice", [x], out, **fields)

    def masked(model: Any) -> None:
        operator = model.subgraphs[0].operators[0]
        for name, value in masks.items():
            setattr(operator.builtinOptions, name, value)
        if "beginMask" in masks:
            _constant(model, operator.inputs[2], [1, 5, 5, 3])
        if "ellipsisMask" in masks:
            for index, values in zip(operator.inputs[1:], ([0, 0, 1], [1, 0, 3], [1, 1, 1]), strict=True):
                _constant(model, index, values)

    assert_like_litert(b, [x], [y], change=masked)


def _constant(model: Any, index: int, values: list[int]) -> None:
    tensor = model.subgraphs[0].tensors[index]
    tensor.shape = [len(values)]
    model.buffers[tensor.buffer].data = np.frombuffer(np.array(values, np.int32).tobytes(), np.uint8)


def test_wrong_quantised_dimension_of_a_bias_does_not_matter() -> None:
    b, inputs, outputs = conv_model()
    model = to_model(b.graph(inputs, outputs))
    bias = next(t for t in model.subgraphs[0].tensors if t.type == S.TensorType.INT32)
    bias.quantization.quantizedDimension = 3
    bias.quantization.scale = np.full(5, 0.002, np.float32)
    bias.quantization.zeroPoint = np.zeros(5, np.int64)
    assert kinds(imported(pack(model))) == ["conv2d"]


def test_repeated_and_empty_names_become_unique() -> None:
    b, inputs, outputs = conv_model()

    def rename(model: Any) -> None:
        for tensor in model.subgraphs[0].tensors:
            tensor.name = "" if tensor.buffer else "same\x1b[31m"

    graph = assert_like_litert(b, inputs, outputs, change=rename)
    assert len(graph.tensors) == 4
    assert all(name.isprintable() for name in graph.tensors)


def test_everything_wrong_is_reported_at_once() -> None:
    b = GraphBuilder()
    x = b.input((1, 8, 8, 3))
    s = b.op("sin", [x], (1, 8, 8, 3))
    y = b.op("conv2d", [s, b.const((4, 3, 3, 3)), b.bias(4)], (1, 6, 6, 4), **CONV)
    c = b.op("cast", [y], (1, 6, 6, 4))
    model = to_model(b.graph([x], [c]))
    custom = S.OperatorCodeT()
    custom.builtinCode = custom.deprecatedBuiltinCode = S.BuiltinOperator.CUSTOM
    custom.customCode, custom.version = "Signal\nWindow", 1
    model.operatorCodes[2] = custom
    model.subgraphs[0].operators[2].builtinOptions, model.subgraphs[0].operators[2].builtinOptionsType = None, 0
    report, _ = _convert(parse_tflite(pack(model), "small.tflite"))
    assert [op.supported for op in report.operators] == [False, True, False]
    assert "SIN" in report.operators[0].reason
    assert "custom operator Signal?Window" in report.operators[2].reason
    assert all(op.advice for op in report.unsupported)
    text = refusal(model)
    assert "2 of 3 operators" in text
    assert "tinyforge check small.tflite" in text


def test_float_and_hybrid_say_how_to_quantise() -> None:
    b = GraphBuilder()
    x = b.input((1, 4), None, "float32")
    y = b.op("logistic", [x], (1, 4), None, "float32")
    w = b.op("fully_connected", [y, b.const((3, 4))], (1, 3), None, "float32", activation=NONE, keep_dims=False)
    text = refusal(to_model(b.graph([x], [w])))
    assert "float32" in text
    assert "hybrid" in text
    assert "full-integer" in text


@pytest.mark.parametrize(
    "change,what",
    [
        (lambda m: setattr(m.subgraphs[0].tensors[0], "quantization", None), "without a scale"),
        (lambda m: setattr(m.subgraphs[0].tensors[0], "isVariable", True), "state kept between inferences"),
        (lambda m: setattr(m.subgraphs[0].tensors[1], "type", S.TensorType.INT4), "int4"),
        (lambda m: m.subgraphs.append(m.subgraphs[0]), "2 subgraphs"),
        (lambda m: setattr(m.subgraphs[0].tensors[2].quantization, "scale", np.array([0.5], np.float32)), "bias"),
        (lambda m: setattr(m.subgraphs[0].tensors[1].quantization, "zeroPoint", np.array([3], np.int64)), "zero point"),
        (lambda m: setattr(m.subgraphs[0].operators[0].builtinOptions, "strideH", 0), "StrideH is 0"),
        (lambda m: setattr(m.subgraphs[0].operators[0].builtinOptions, "fusedActivationFunction", 4), "activation 4"),
        (lambda m: setattr(m.subgraphs[0], "outputs", [0]), "not computed"),
        (lambda m: setattr(m.subgraphs[0], "outputs", []), "no outputs"),
    ],
)
def test_refusals(change: Any, what: str) -> None:
    b, inputs, outputs = conv_model()
    model = to_model(b.graph(inputs, outputs))
    change(model)
    assert what in refusal(model)


@pytest.mark.parametrize(
    "change,what",
    [
        (lambda m: setattr(m.subgraphs[0].operators[0], "inputs", [3, 1, 2]), "before anything has computed it|writes"),
        (lambda m: setattr(m.subgraphs[0].operators[0], "outputs", [0]), "already has a value"),
        (lambda m: setattr(m.subgraphs[0].operators[0], "inputs", [99, 1, 2]), "tensor 99 of"),
        (lambda m: setattr(m.subgraphs[0].tensors[0], "shape", [1, 65536, 65536, 3]), "limit is"),
        (lambda m: setattr(m.subgraphs[0].tensors[0], "buffer", 77), "buffer 77"),
        (lambda m: setattr(m, "version", 7), "version 7"),
        (lambda m: setattr(m, "subgraphs", []), "no subgraph"),
    ],
)
def test_malformed(change: Any, what: str) -> None:
    b, inputs, outputs = conv_model()
    model = to_model(b.graph(inputs, outputs))
    change(model)
    with pytest.raises(ModelError, match=what):
        graph_of(parse_tflite(pack(model), "small.tflite"))


# uint8 files: every operator whose arithmetic might differ from int8, compared with LiteRT's uint8 kernels.

U8 = (0.05, 117)


def _unary(
    kind: str, shape: tuple[int, ...], out: tuple[int, ...], quant: tuple[float, int] = U8, **fields: Any
) -> Any:
    def build(b: GraphBuilder) -> tuple[list[str], list[str]]:
        x = b.input(shape, U8)
        return [x], [b.op(kind, [x], out, quant, **fields)]

    return build


def _weighted(kind: str, x: tuple[int, ...], w: tuple[int, ...], out: tuple[int, ...], **fields: Any) -> Any:
    def build(b: GraphBuilder) -> tuple[list[str], list[str]]:
        name = b.input(x, U8)
        operands = [name, b.const(w, (0.04, 201)), b.bias(out[-1])]
        return [name], [b.op(kind, operands, out, (0.31, 90), **fields)]

    return build


def _transpose_conv(b: GraphBuilder) -> tuple[list[str], list[str]]:
    x = b.input((1, 4, 5, 3), U8)
    fields = {"stride": (2, 2), "padding": (0, 1, 0, 1), "output_hw": (8, 10), "activation": NONE}
    operands = [x, b.const((4, 3, 3, 3), (0.04, 201)), b.bias(4)]
    return [x], [b.op("transpose_conv", operands, (1, 8, 10, 4), (0.31, 90), **fields)]


def _binary(kind: str, quant: tuple[float, int] = (0.07, 99), **fields: Any) -> Any:
    def build(b: GraphBuilder) -> tuple[list[str], list[str]]:
        names = [b.input((1, 4, 6, 3), U8), b.input((1, 4, 6, 3), U8 if kind.endswith("imum") else (0.02, 40))]
        return names, [b.op(kind, names, (1, 4, 6, 3), U8 if kind.endswith("imum") else quant, **fields)]

    return build


NO_ACT = {"activation": NONE}
SHAPE = (1, 6, 8, 3)
PROBABILITY = (1 / 256, 0)
RESIZE = {"size": (9, 5), "align_corners": False, "half_pixel_centers": True}
UINT8_CASES = {
    "conv2d": _weighted("conv2d", SHAPE, (4, 3, 3, 3), (1, 6, 8, 4), **CONV | {"padding": (1, 1, 1, 1)}),
    "conv2d_relu6": _weighted("conv2d", SHAPE, (4, 1, 1, 3), (1, 6, 8, 4), **CONV | {"activation": Activation.RELU6}),
    "depthwise": _weighted(
        "depthwise_conv2d", SHAPE, (1, 3, 3, 6), (1, 6, 8, 6), **CONV | {"padding": (1, 1, 1, 1), "multiplier": 2}
    ),
    "transpose_conv": _transpose_conv,
    "fully_connected": _weighted("fully_connected", (1, 12), (5, 12), (1, 5), keep_dims=False, **NO_ACT),
    "average_pool2d": _unary("average_pool2d", SHAPE, (1, 3, 4, 3), **POOL),
    "max_pool2d": _unary("max_pool2d", SHAPE, (1, 3, 4, 3), **POOL),
    "mean": _unary("mean", SHAPE, (1, 3), reduce_axes=(1, 2), keep_dims=False),
    "mean_keep": _unary("mean", SHAPE, (1, 1, 1, 3), (0.04, 100), reduce_axes=(1, 2), keep_dims=True),
    "mean_channels": _unary("mean", SHAPE, (1, 6, 8), (0.04, 100), reduce_axes=(3,), keep_dims=False),
    "sum": _unary("sum", SHAPE, (1, 3), (1.5, 100), reduce_axes=(1, 2), keep_dims=False),
    "add": _binary("add", **NO_ACT),
    "sub": _binary("sub", **NO_ACT),
    "mul": _binary("mul", **NO_ACT),
    "maximum": _binary("maximum"),
    "minimum": _binary("minimum"),
    "softmax": _unary("softmax", (1, 11), (1, 11), PROBABILITY, beta=1.0),
    "log_softmax": _unary("log_softmax", (1, 11), (1, 11), (16 / 256, 255)),
    "logistic": _unary("logistic", SHAPE, SHAPE, PROBABILITY),
    "tanh": _unary("tanh", SHAPE, SHAPE, (1 / 128, 128)),
    "relu": _unary("relu", SHAPE, SHAPE, (0.02, 10)),
    "relu6": _unary("relu6", SHAPE, SHAPE, (0.03, 10)),
    "leaky_relu": _unary("leaky_relu", SHAPE, SHAPE, (0.03, 100), alpha=0.1),
    "gelu": _unary("gelu", SHAPE, SHAPE, (0.03, 10), approximate=True),
    "hard_swish": _unary("hard_swish", SHAPE, SHAPE, (0.03, 20)),
    "pad": _unary("pad", SHAPE, (1, 8, 9, 3), paddings=((0, 0), (1, 1), (1, 0), (0, 0)), value=None),
    "padv2": _unary("pad", SHAPE, (1, 8, 9, 3), paddings=((0, 0), (1, 1), (1, 0), (0, 0)), value=7),
    "resize_bilinear": _unary("resize_bilinear", SHAPE, (1, 12, 16, 3), **RESIZE | {"size": (12, 16)}),
    "resize_nearest": _unary("resize_nearest_neighbor", SHAPE, (1, 9, 5, 3), **RESIZE),
    "transpose": _unary("transpose", SHAPE, (1, 3, 6, 8), perm=(0, 3, 1, 2)),
    "quantize": _unary("quantize", SHAPE, SHAPE, (0.11, 30)),
    "depth_to_space": _unary("depth_to_space", (1, 2, 3, 8), (1, 4, 6, 2), block=2),
}


@pytest.mark.parametrize("name", UINT8_CASES)
def test_uint8_is_exact(name: str) -> None:
    b = GraphBuilder(7, "uint8")
    inputs, outputs = UINT8_CASES[name](b)
    graph = assert_like_litert(b, inputs, outputs)
    assert all(a.kind == "rebase" for adapters in graph.adapters.values() for a in adapters)
    assert all(t.type.dtype.value in ("int8", "int32") for t in graph.tensors.values())


def test_uint8_concatenation() -> None:
    b = GraphBuilder(8, "uint8")
    names = [b.input((1, 4, 6, 3), U8), b.input((1, 4, 6, 2), U8)]
    assert_like_litert(b, names, [b.op("concatenation", names, (1, 4, 6, 5), U8, axis=3, **NO_ACT)])


def test_arg_max_of_uint8() -> None:
    b = GraphBuilder(8, "uint8")
    x = b.input((1, 4, 6, 5), U8)
    assert_like_litert(b, [x], [b.op("arg_max", [x], (1, 4, 6), None, "int32", axis=3)])


@pytest.mark.parametrize(
    "name,content,error,what",
    [
        ("net.onnx", b"\x08\x07\x12\x04onnx", UnsupportedModel, "ONNX"),
        ("net.keras", b"PK\x03\x04abcdef", UnsupportedModel, "Keras"),
        ("net.tflite", b"<html>not found", ModelError, "not a TensorFlow Lite model"),
        ("net.tflite", b"", ModelError, "0 bytes"),
    ],
)
def test_other_files(tmp_path: Path, name: str, content: bytes, error: type[ModelError], what: str) -> None:
    (tmp_path / name).write_bytes(content)
    for read in (import_model, inspect_model):
        with pytest.raises(error, match=f"^{name}: .*{what}"):
            read(tmp_path / name)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.tflite", tmp_path):
        with pytest.raises(ModelError, match="cannot be read"):
            import_model(path)


def test_a_good_file_from_disk(tmp_path: Path) -> None:
    b, inputs, outputs = conv_model()
    path = tmp_path / "good.tflite"
    path.write_bytes(pack(to_model(b.graph(inputs, outputs))))
    report = inspect_model(path)
    assert report.supported
    assert (report.inputs[0].shape, report.inputs[0].dtype) == ((1, 9, 7, 3), "int8")
    assert import_model(path).name == "good"


@pytest.mark.parametrize("groups,channels", [(2, 6), (4, 8), (8, 8), (8, 16)])
@pytest.mark.parametrize("per_channel", [True, False])
def test_grouped_convolution(groups: int, channels: int, per_channel: bool) -> None:
    b = GraphBuilder(9)
    x = b.input((1, 7, 6, 8), (0.1, 4))
    w, bias = b.const((channels, 3, 2, 8 // groups)), b.bias(channels)
    if per_channel:
        for name, scale in ((w, 0.02), (bias, 0.002)):
            scales = tuple(float(np.float32(scale * (1 + i / 9))) for i in range(channels))
            kind = replace(b.tensors[name].type, quant=Quant(scales, (0,) * channels, 0))
            b.tensors[name] = replace(b.tensors[name], type=kind)
    op = CONV | {"stride": (1, 2), "padding": (1, 1, 0, 0)}
    y = b.op("conv2d", [x, w, bias], (1, 7, 3, channels), (0.3, 5), **op)
    graph = assert_like_litert(b, [x], [y])
    found = kinds(graph)
    assert found == (["depthwise_conv2d"] if groups == 8 else ["split", *["conv2d"] * groups, "concatenation"])
    assert graph.nodes[-1].source == len(to_model(b.graph([x], [y])).subgraphs[0].operators) - 1


@pytest.mark.parametrize("counts", [(1, 1, 1, 1), (1, 3, 1, 1), (1, 2, 1, 3)])
def test_tile(counts: tuple[int, ...]) -> None:
    b = GraphBuilder(9)
    x = b.input((1, 4, 3, 5), (0.1, 4))
    y = b.op("tile", [x], tuple(n * c for n, c in zip((1, 4, 3, 5), counts, strict=True)), (0.1, 4), counts=counts)
    assert_like_litert(b, [x], [y])


def test_upsampling_of_copies_is_a_resize() -> None:
    """UpSampling2D as Keras 3 writes it: rows, then columns."""
    b = GraphBuilder(9)
    x, q = b.input((1, 4, 5, 3), (0.1, 4)), (0.1, 4)
    e = b.op("expand_dims", [x], (1, 4, 1, 5, 3), q, axis=2)
    t = b.op("tile", [e], (1, 4, 2, 5, 3), q, counts=(1, 1, 2, 1, 1))
    r = b.op("reshape", [t], (1, 8, 5, 3), q, shape=(1, 8, 5, 3))
    e = b.op("expand_dims", [r], (1, 8, 5, 1, 3), q, axis=3)
    t = b.op("tile", [e], (1, 8, 5, 3, 3), q, counts=(1, 1, 1, 3, 1))
    y = b.op("reshape", [t], (1, 8, 15, 3), q, shape=(1, 8, 15, 3))
    graph = assert_like_litert(b, [x], [y])
    assert kinds(graph) == ["resize_nearest_neighbor"]
    other = b.op("relu", [r], (1, 8, 5, 3), q)  # the rows alone have another reader: nothing to join
    assert kinds(assert_like_litert(b, [x], [y, other])).count("resize_nearest_neighbor") == 2


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("shape,axes", [((1, 5, 7, 3), (1, 2)), ((1, 9, 3), (1,))])
def test_global_maximum_is_a_pool(shape: tuple[int, ...], axes: tuple[int, ...], keep: bool) -> None:
    b = GraphBuilder(9)
    x = b.input(shape, (0.1, 4))
    out = tuple(1 if i in axes else n for i, n in enumerate(shape) if keep or i not in axes)
    y = b.op("reduce_max", [x], out, (0.1, 4), reduce_axes=axes, keep_dims=keep)
    assert "max_pool2d" in kinds(assert_like_litert(b, [x], [y]))


def test_sixteen_bit_activations_say_so() -> None:
    b = GraphBuilder()
    x = b.input((1, 6, 4), (0.001, 0), "int16")
    y = b.op("add", [x, b.input((1, 6, 4), (0.002, 0), "int16")], (1, 6, 4), (0.002, 0), "int16", activation=NONE)
    names = [n for n in b.tensors if n.startswith("x")]
    text = refusal(to_model(b.graph(names, [y])))
    assert "16x8" in text
    assert "full-integer" in text
