"""Test helper: writes a tinyforge Graph as a `.tflite` file and runs such files with LiteRT's reference kernels.

The table ``WRITERS`` is keyed by operator kind and reads attributes by name, so it also serves operators that only
exist in files (``squeeze``, ``shape``, ...): give a ``types.SimpleNamespace(kind="squeeze", dims=(1,))`` as the op.

    data = write_tflite(graph)                  # bytes of the file
    outputs = litert_outputs(data, [x])         # graph outputs, in order
    tensors = litert_tensors(data, [x])         # every activation by name

To build odd files: ``model = to_model(graph)``, change the ``ModelT`` object, ``pack(model)``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as S

from tinyforge.ir.graph import Graph, Node, Tensor
from tinyforge.ir.types import DType, TensorType

DTYPES = {
    DType.FLOAT32: S.TensorType.FLOAT32,
    DType.INT8: S.TensorType.INT8,
    DType.UINT8: S.TensorType.UINT8,
    DType.INT16: S.TensorType.INT16,
    DType.INT32: S.TensorType.INT32,
    DType.INT64: S.TensorType.INT64,
    DType.BOOL: S.TensorType.BOOL,
}
ACTIVATIONS = {
    "none": S.ActivationFunctionType.NONE,
    "relu": S.ActivationFunctionType.RELU,
    "relu6": S.ActivationFunctionType.RELU6,
    "relu_n1_to_1": S.ActivationFunctionType.RELU_N1_TO_1,
}


@dataclass
class Written:
    """One operator of the file. Inputs: tensor names, or arrays that become constants (with an optional quantised
    twin: ``(array, name)`` copies the quantisation of tensor ``name``)."""

    code: str
    inputs: list[Any]
    options: Any = None
    before: list[tuple[str, list[Any], str, Any]] = field(default_factory=list)


Writer = Callable[[Any, Node, Graph], Written]


def i32(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


def scalar(value: int) -> np.ndarray:
    return np.array(value, np.int32)


def options(name: str, **fields: Any) -> Any:
    """An options table by name, with the given fields; unknown fields are errors."""
    result = getattr(S, name + "T")()
    for key, value in fields.items():
        assert hasattr(result, key), f"{name} has no field {key}"
        setattr(result, key, value)
    return result


def act(op: Any) -> int:
    return ACTIVATIONS[op.activation.value]


def same_padding(size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """(before, after) of TensorFlow's SAME."""
    out = -(-size // stride)
    total = max(0, (out - 1) * stride + (kernel - 1) * dilation + 1 - size)
    return total // 2, total - total // 2


def padding_code(
    padding: Sequence[int], hw: Sequence[int], kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> int | None:
    """SAME or VALID when it means exactly ``padding``, else None."""
    if tuple(padding) == (0, 0, 0, 0):
        return S.Padding.VALID
    rows = same_padding(hw[0], kernel[0], stride[0], dilation[0])
    cols = same_padding(hw[1], kernel[1], stride[1], dilation[1])
    return S.Padding.SAME if tuple(padding) == (*rows, *cols) else None


def _conv_like(op: Any, node: Node, graph: Graph, code: str, opts: Any) -> Written:
    """A convolution; padding that is neither SAME nor VALID becomes a PAD operator before it, which is exact."""
    x, w = graph.ins(node)[:2]
    mode = padding_code(op.padding, x.shape[1:3], w.shape[1:3], op.stride, op.dilation)
    opts.padding = S.Padding.VALID if mode is None else mode
    opts.strideH, opts.strideW = op.stride
    opts.dilationHFactor, opts.dilationWFactor = op.dilation
    opts.fusedActivationFunction = act(op)
    names: list[Any] = list(node.inputs)
    before = []
    if mode is None:
        top, bottom, left, right = op.padding
        padded = f"{node.name}/padded"
        table = np.array([[0, 0], [top, bottom], [left, right], [0, 0]], np.int32)
        before.append(("PAD", [names[0], table], padded, options("PadOptions")))
        names[0] = padded
    return Written(code, names, opts, before)


def _conv2d(op: Any, node: Node, graph: Graph) -> Written:
    """LiteRT wants a bias for quantised CONV_2D: one of zeros is added where the graph has none."""
    written = _conv_like(op, node, graph, "CONV_2D", options("Conv2DOptions"))
    if len(written.inputs) == 2 and graph.ins(node)[0].type.dtype is not DType.FLOAT32:
        written.inputs.append(np.zeros(graph.ins(node)[1].shape[0], np.int32))
    return written


def _depthwise(op: Any, node: Node, graph: Graph) -> Written:
    opts = options("DepthwiseConv2DOptions", depthMultiplier=op.multiplier)
    return _conv_like(op, node, graph, "DEPTHWISE_CONV_2D", opts)


def _transpose_conv(op: Any, node: Node, graph: Graph) -> Written:
    w = graph.ins(node)[1]
    out = graph.outs(node)[0].shape
    kernel = w.shape[1:3]
    if tuple(op.padding) == (0, 0, 0, 0):
        mode = S.Padding.VALID
    else:
        mode = padding_code(op.padding, out[1:3], kernel, op.stride, (1, 1))
        assert mode is not None, "TRANSPOSE_CONV in a file has only SAME or VALID padding"
    opts = options(
        "TransposeConvOptions",
        padding=mode,
        strideH=op.stride[0],
        strideW=op.stride[1],
        fusedActivationFunction=act(op),
    )
    inputs: list[Any] = [i32(*out), node.inputs[1], node.inputs[0], *node.inputs[2:]]
    return Written("TRANSPOSE_CONV", inputs, opts)


def _fully_connected(op: Any, node: Node, graph: Graph) -> Written:
    opts = options("FullyConnectedOptions", fusedActivationFunction=act(op), keepNumDims=op.keep_dims)
    return Written("FULLY_CONNECTED", list(node.inputs), opts)


def _pool(code: str) -> Writer:
    def write(op: Any, node: Node, graph: Graph) -> Written:
        x = graph.ins(node)[0]
        mode = padding_code(op.padding, x.shape[1:3], op.size, op.stride, (1, 1))
        assert mode is not None, f"{code} in a file has only SAME or VALID padding, not {op.padding}"
        opts = options(
            "Pool2DOptions",
            padding=mode,
            strideH=op.stride[0],
            strideW=op.stride[1],
            filterHeight=op.size[0],
            filterWidth=op.size[1],
            fusedActivationFunction=act(op),
        )
        return Written(code, list(node.inputs), opts)

    return write


def _reduce(code: str) -> Writer:
    def write(op: Any, node: Node, graph: Graph) -> Written:
        return Written(code, [*node.inputs, i32(*op.reduce_axes)], options("ReducerOptions", keepDims=op.keep_dims))

    return write


def _binary(code: str, table: str) -> Writer:
    def write(op: Any, node: Node, graph: Graph) -> Written:
        return Written(code, list(node.inputs), options(table, fusedActivationFunction=act(op)))

    return write


def _plain(code: str, table: str | None = None, **fields: str) -> Writer:
    """An operator without constant operands; ``fields``: option field -> attribute of the op."""

    def write(op: Any, node: Node, graph: Graph) -> Written:
        values = {key: getattr(op, attribute) for key, attribute in fields.items()}
        return Written(code, list(node.inputs), options(table, **values) if table else None)

    return write


def _pad(op: Any, node: Node, graph: Graph) -> Written:
    table = np.array(op.paddings, np.int32).reshape(-1, 2)
    if op.value is None:
        return Written("PAD", [*node.inputs, table], options("PadOptions"))
    out = graph.outs(node)[0]
    value = np.array([op.value], out.type.dtype.numpy)
    return Written("PADV2", [*node.inputs, table, (value, out.name)], options("PadV2Options"))


def _reshape(op: Any, node: Node, graph: Graph) -> Written:
    shape = list(op.shape)
    return Written("RESHAPE", [*node.inputs[:1], i32(*shape)], options("ReshapeOptions", newShape=shape))


def _concatenation(op: Any, node: Node, graph: Graph) -> Written:
    opts = options("ConcatenationOptions", axis=op.axis, fusedActivationFunction=act(op))
    return Written("CONCATENATION", list(node.inputs), opts)


def _split(op: Any, node: Node, graph: Graph) -> Written:
    count = len(op.sizes)
    if len(set(op.sizes)) == 1:
        return Written("SPLIT", [scalar(op.axis), node.inputs[0]], options("SplitOptions", numSplits=count))
    inputs = [node.inputs[0], i32(*op.sizes), scalar(op.axis)]
    return Written("SPLIT_V", inputs, options("SplitVOptions", numSplits=count))


def _slice(op: Any, node: Node, graph: Graph) -> Written:
    return Written("SLICE", [node.inputs[0], i32(*op.begin), i32(*op.size)], options("SliceOptions"))


def _strided_slice(op: Any, node: Node, graph: Graph) -> Written:
    """Ends below zero (a negative stride down to index 0) can only be said with the end mask."""
    end_mask = sum(1 << i for i, end in enumerate(op.end) if end < 0)
    shrink = sum(1 << axis for axis in op.shrink_axes)
    opts = options("StridedSliceOptions", endMask=end_mask, shrinkAxisMask=shrink)
    return Written("STRIDED_SLICE", [node.inputs[0], i32(*op.begin), i32(*op.end), i32(*op.strides)], opts)


def _pack(op: Any, node: Node, graph: Graph) -> Written:
    return Written("PACK", list(node.inputs), options("PackOptions", axis=op.axis, valuesCount=len(node.inputs)))


def _unpack(op: Any, node: Node, graph: Graph) -> Written:
    return Written("UNPACK", list(node.inputs), options("UnpackOptions", axis=op.axis, num=len(node.outputs)))


def _transpose(op: Any, node: Node, graph: Graph) -> Written:
    return Written("TRANSPOSE", [node.inputs[0], i32(*op.perm)], options("TransposeOptions"))


def _resize(code: str, table: str) -> Writer:
    def write(op: Any, node: Node, graph: Graph) -> Written:
        opts = options(table, alignCorners=op.align_corners, halfPixelCenters=op.half_pixel_centers)
        return Written(code, [node.inputs[0], i32(*op.size)], opts)

    return write


def _arg(code: str, table: str) -> Writer:
    def write(op: Any, node: Node, graph: Graph) -> Written:
        return Written(code, [node.inputs[0], scalar(op.axis)], options(table, outputType=S.TensorType.INT32))

    return write


def _squeeze(op: Any, node: Node, graph: Graph) -> Written:
    return Written("SQUEEZE", list(node.inputs), options("SqueezeOptions", squeezeDims=list(op.dims)))


def _shape(op: Any, node: Node, graph: Graph) -> Written:
    return Written("SHAPE", list(node.inputs), options("ShapeOptions", outType=S.TensorType.INT32))


def _expand_dims(op: Any, node: Node, graph: Graph) -> Written:
    return Written("EXPAND_DIMS", [node.inputs[0], scalar(op.axis)], options("ExpandDimsOptions"))


def _batches(code: str) -> Writer:
    """SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND: ``block`` a spatial dimension, ``table`` of paddings or crops."""

    def write(op: Any, node: Node, graph: Graph) -> Written:
        table = np.array(op.table, np.int32).reshape(-1, 2)
        return Written(code, [node.inputs[0], i32(*op.block), table], None)

    return write


WRITERS: dict[str, Writer] = {
    "conv2d": _conv2d,
    "depthwise_conv2d": _depthwise,
    "transpose_conv": _transpose_conv,
    "fully_connected": _fully_connected,
    "average_pool2d": _pool("AVERAGE_POOL_2D"),
    "max_pool2d": _pool("MAX_POOL_2D"),
    "mean": _reduce("MEAN"),
    "sum": _reduce("SUM"),
    "add": _binary("ADD", "AddOptions"),
    "sub": _binary("SUB", "SubOptions"),
    "mul": _binary("MUL", "MulOptions"),
    "maximum": _plain("MAXIMUM", "MaximumMinimumOptions"),
    "minimum": _plain("MINIMUM", "MaximumMinimumOptions"),
    "pad": _pad,
    "reshape": _reshape,
    "softmax": _plain("SOFTMAX", "SoftmaxOptions", beta="beta"),
    "log_softmax": _plain("LOG_SOFTMAX", "LogSoftmaxOptions"),
    "logistic": _plain("LOGISTIC"),
    "tanh": _plain("TANH"),
    "relu": _plain("RELU"),
    "relu6": _plain("RELU6"),
    "relu_n1_to_1": _plain("RELU_N1_TO_1"),
    "leaky_relu": _plain("LEAKY_RELU", "LeakyReluOptions", alpha="alpha"),
    "prelu": _plain("PRELU"),
    "hard_swish": _plain("HARD_SWISH", "HardSwishOptions"),
    "gelu": _plain("GELU", "GeluOptions", approximate="approximate"),
    "concatenation": _concatenation,
    "split": _split,
    "slice": _slice,
    "strided_slice": _strided_slice,
    "pack": _pack,
    "unpack": _unpack,
    "transpose": _transpose,
    "resize_nearest_neighbor": _resize("RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighborOptions"),
    "resize_bilinear": _resize("RESIZE_BILINEAR", "ResizeBilinearOptions"),
    "quantize": _plain("QUANTIZE", "QuantizeOptions"),
    "dequantize": _plain("DEQUANTIZE", "DequantizeOptions"),
    "arg_max": _arg("ARG_MAX", "ArgMaxOptions"),
    "arg_min": _arg("ARG_MIN", "ArgMinOptions"),
    "depth_to_space": _plain("DEPTH_TO_SPACE", "DepthToSpaceOptions", blockSize="block"),
    "space_to_depth": _plain("SPACE_TO_DEPTH", "SpaceToDepthOptions", blockSize="block"),
    # only in files: importers turn these into something else or refuse them
    "squeeze": _squeeze,
    "expand_dims": _expand_dims,
    "shape": _shape,
    "fill": _plain("FILL", "FillOptions"),
    "tile": lambda op, node, graph: Written("TILE", [node.inputs[0], i32(*op.counts)], options("TileOptions")),
    "reduce_max": _reduce("REDUCE_MAX"),
    "space_to_batch_nd": _batches("SPACE_TO_BATCH_ND"),
    "batch_to_space_nd": _batches("BATCH_TO_SPACE_ND"),
    "sin": _plain("SIN"),
    "cast": _plain("CAST", "CastOptions"),
}


class _File:
    """Collects tensors, buffers and operator codes of one subgraph."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.model = S.ModelT()
        self.model.version = 3
        self.model.description = "tinyforge test model"
        self.model.operatorCodes, self.model.metadata = [], []
        self.model.buffers = [S.BufferT()]
        self.subgraph = S.SubGraphT()
        self.subgraph.name = graph.name
        self.subgraph.tensors, self.subgraph.operators = [], []
        self.ids: dict[str, int] = {}

    def tensor(self, tensor: Tensor) -> int:
        if tensor.name in self.ids:
            return self.ids[tensor.name]
        t = S.TensorT()
        t.name, t.shape = tensor.name, list(tensor.shape)
        t.type = DTYPES[tensor.type.dtype]
        quant = tensor.type.quant
        if quant is not None:
            t.quantization = S.QuantizationParametersT()
            t.quantization.scale = np.array(quant.scale, np.float32)
            t.quantization.zeroPoint = np.array(quant.zero_point, np.int64)
            t.quantization.quantizedDimension = quant.axis or 0
        t.buffer = 0 if tensor.data is None else self.buffer(tensor.data)
        self.ids[tensor.name] = len(self.subgraph.tensors)
        self.subgraph.tensors.append(t)
        return self.ids[tensor.name]

    def buffer(self, data: Any) -> int:
        buffer = S.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
        self.model.buffers.append(buffer)
        return len(self.model.buffers) - 1

    def constant(self, data: np.ndarray, like: str | None, name: str) -> int:
        quant = self.graph.tensors[like].type.quant if like else None
        dtype = DType(str(data.dtype))
        return self.tensor(Tensor(name, TensorType(data.shape, dtype, quant), data))

    def code(self, name: str) -> int:
        value = getattr(S.BuiltinOperator, name)
        for i, code in enumerate(self.model.operatorCodes):
            if code.builtinCode == value:
                return i
        code = S.OperatorCodeT()
        code.builtinCode, code.deprecatedBuiltinCode, code.version = value, min(value, 127), 1
        self.model.operatorCodes.append(code)
        return len(self.model.operatorCodes) - 1

    def operator(self, code: str, inputs: list[Any], outputs: Sequence[str], opts: Any, prefix: str) -> None:
        op = S.OperatorT()
        op.opcodeIndex = self.code(code)
        op.inputs = [self.operand(value, f"{prefix}/operand{i}") for i, value in enumerate(inputs)]
        op.outputs = [self.ids[name] for name in outputs]
        if opts is not None:
            op.builtinOptions = opts
            op.builtinOptionsType = getattr(S.BuiltinOptions, type(opts).__name__.removesuffix("T"))
        self.subgraph.operators.append(op)

    def operand(self, value: Any, name: str) -> int:
        if isinstance(value, str):
            return self.ids[value]
        if isinstance(value, tuple):
            return self.constant(value[0], value[1], name)
        return self.constant(value, None, name)


def to_model(graph: Graph) -> Any:
    """The graph as a ``ModelT``, free to be changed before ``pack``."""
    file = _File(graph)
    for tensor in graph.tensors.values():
        file.tensor(tensor)
    for node in graph.nodes:
        written = WRITERS[node.op.kind](node.op, node, graph)
        for code, inputs, output, opts in written.before:
            _padded_tensor(file, inputs, output)
            file.operator(code, inputs, [output], opts, output)
        file.operator(written.code, written.inputs, node.outputs, written.options, node.name)
    file.subgraph.inputs = [file.ids[name] for name in graph.inputs]
    file.subgraph.outputs = [file.ids[name] for name in graph.outputs]
    file.model.subgraphs = [file.subgraph]
    return file.model


def _padded_tensor(file: _File, inputs: list[Any], output: str) -> None:
    """Declares the result of an inserted PAD."""
    source = file.subgraph.tensors[file.ids[inputs[0]]]
    padded = S.TensorT()
    padded.name, padded.type, padded.buffer, padded.quantization = output, source.type, 0, source.quantization
    padded.shape = [int(n + sum(p)) for n, p in zip(source.shape, inputs[1], strict=True)]
    file.ids[output] = len(file.subgraph.tensors)
    file.subgraph.tensors.append(padded)


def pack(model: Any) -> bytes:
    """A ``ModelT`` as the bytes of a file."""
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def write_tflite(graph: Graph) -> bytes:
    """The graph as a `.tflite` file."""
    return pack(to_model(graph))


def _interpreter(data: bytes, inputs: Sequence[np.ndarray], preserve: bool) -> Any:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=data,
        experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
        experimental_preserve_all_tensors=preserve,
        num_threads=1,
    )
    interpreter.allocate_tensors()
    details = interpreter.get_input_details()
    assert len(details) == len(inputs), f"the model has {len(details)} inputs, {len(inputs)} were given"
    for detail, value in zip(details, inputs, strict=True):
        interpreter.set_tensor(detail["index"], np.asarray(value, detail["dtype"]).reshape(detail["shape"]))
    interpreter.invoke()
    return interpreter


def litert_outputs(data: bytes, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Outputs of a file with LiteRT's reference kernels (one thread): the yardstick of exactness."""
    interpreter = _interpreter(data, inputs, preserve=False)
    return [interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()]


def litert_tensors(data: bytes, inputs: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Every tensor of a file by name (constants too) with LiteRT's reference kernels."""
    interpreter = _interpreter(data, inputs, preserve=True)
    found: dict[str, np.ndarray] = {}
    for detail in interpreter.get_tensor_details():
        try:
            found[detail["name"]] = interpreter.get_tensor(detail["index"])
        except ValueError:  # temporaries that were never allocated
            continue
    return found
