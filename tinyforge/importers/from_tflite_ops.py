"""How each operator of the file becomes an operator of the graph: one line in ``BUILDERS`` each.

A builder looks at the operands and returns a ``Recipe``; it raises UnsupportedModel with the reason when it cannot.
Padding modes become explicit numbers, operands that only steer (axes, shapes, sizes) become attributes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyforge.errors import UnsupportedModel
from tinyforge.importers.from_tflite_raw import RawOperator, RawTensor
from tinyforge.importers.from_tflite_schema import ACTIVATIONS, PADDING_SAME, PADDING_VALID
from tinyforge.importers.from_tflite_slices import strided_slice
from tinyforge.ir.graph import Tensor
from tinyforge.ops.base import Activation

MAX_STEP = 1 << 16  # strides, dilations, window sizes


@dataclass(frozen=True, slots=True)
class Recipe:
    """An operator to build: kind in ``OPS``, its attributes, and which of the file's operands stay inputs."""

    kind: str
    attributes: dict[str, Any]
    inputs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Operands:
    """An operator of the file with its tensors. ``ins`` has None where an optional input is left out."""

    op: RawOperator
    ins: tuple[Tensor | None, ...]
    outs: tuple[RawTensor, ...]
    was_uint8: bool

    def x(self, position: int = 0) -> Tensor:
        tensor = self.ins[position] if position < len(self.ins) else None
        if tensor is None:
            raise UnsupportedModel(f"input {position} is missing")
        return tensor

    def present(self, *positions: int) -> tuple[int, ...]:
        """Those of the positions that are there."""
        return tuple(p for p in positions if p < len(self.ins) and self.ins[p] is not None)

    def option(self, name: str) -> Any:
        if name not in self.op.options:
            raise UnsupportedModel("its options are missing in the file")
        return self.op.options[name]

    def step(self, name: str) -> int:
        """An option that must be a sensible positive number."""
        value = int(self.option(name))
        if not 1 <= value <= MAX_STEP:
            raise UnsupportedModel(f"{name} is {value}")
        return value

    def activation(self) -> Activation:
        code = int(self.op.options.get("FusedActivationFunction", 0))
        if code not in ACTIVATIONS:
            raise UnsupportedModel(f"fused activation {code} (tanh or sign bit) is not supported")
        return Activation(ACTIVATIONS[code])

    def integers(self, position: int) -> tuple[int, ...]:
        """Content of a steering operand, flattened; it must be known when the model is compiled."""
        tensor = self.x(position)
        if tensor.data is None:
            raise UnsupportedModel(f"operand {tensor.name} is computed at run time; it must be a constant")
        if tensor.data.dtype.kind not in "iu" or tensor.data.size > MAX_STEP:
            raise UnsupportedModel(f"operand {tensor.name} is not a short list of integers")
        return tuple(int(v) for v in tensor.data.reshape(-1))

    def axis(self, value: int, rank: int) -> int:
        if not -rank <= value < rank:
            raise UnsupportedModel(f"axis {value} does not exist in a tensor of {rank} dimensions")
        return value % rank


Builder = Callable[[Operands], Recipe]


def rank4(tensor: Tensor) -> tuple[int, ...]:
    if len(tensor.shape) != 4:
        raise UnsupportedModel(f"tensor {tensor.name} has {len(tensor.shape)} dimensions, 4 are needed")
    return tensor.shape


def explicit_padding(
    mode: int, size: Sequence[int], kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int] = (1, 1)
) -> tuple[int, int, int, int]:
    """(top, bottom, left, right) of SAME or VALID by TensorFlow's rule: the odd one goes to the bottom and right."""
    if mode == PADDING_VALID:
        return 0, 0, 0, 0
    if mode != PADDING_SAME:
        raise UnsupportedModel(f"padding mode {mode} is unknown")
    pads: list[int] = []
    for n, k, s, d in zip(size, kernel, stride, dilation, strict=True):
        total = max(0, (-(-n // s) - 1) * s + (k - 1) * d + 1 - n)
        pads += [total // 2, total - total // 2]
    return pads[0], pads[1], pads[2], pads[3]


def _conv(o: Operands) -> Recipe:
    x, w = rank4(o.x(0)), rank4(o.x(1))
    stride = o.step("StrideH"), o.step("StrideW")
    dilation = o.step("DilationHFactor"), o.step("DilationWFactor")
    padding = explicit_padding(o.option("Padding"), x[1:3], w[1:3], stride, dilation)
    attributes = {"stride": stride, "dilation": dilation, "padding": padding, "activation": o.activation()}
    if o.op.code == "CONV_2D":
        return Recipe("conv2d", attributes, o.present(0, 1, 2))
    if w[3] % x[3]:
        raise UnsupportedModel(f"weights have {w[3]} channels, no multiple of the input's {x[3]}")
    return Recipe("depthwise_conv2d", attributes | {"multiplier": w[3] // x[3]}, o.present(0, 1, 2))


def _transpose_conv(o: Operands) -> Recipe:
    shape, w = o.integers(0), rank4(o.x(1))
    if len(shape) != 4 or not all(1 <= n <= MAX_STEP for n in shape):
        raise UnsupportedModel(f"output shape {list(shape)} makes no sense")
    stride = o.step("StrideH"), o.step("StrideW")
    padding = explicit_padding(o.option("Padding"), shape[1:3], w[1:3], stride)
    attributes = {"stride": stride, "padding": padding, "output_hw": shape[1:3], "activation": o.activation()}
    return Recipe("transpose_conv", attributes, o.present(2, 1, 3))


def _fully_connected(o: Operands) -> Recipe:
    if o.op.options.get("WeightsFormat", 0) != 0:
        raise UnsupportedModel("shuffled weights are not supported")
    keep = bool(o.op.options.get("KeepNumDims", False))
    attributes = {"activation": o.activation(), "keep_dims": keep}
    return Recipe("fully_connected", attributes, o.present(0, 1, 2))


def _pool(kind: str) -> Builder:
    def build(o: Operands) -> Recipe:
        size, stride = (o.step("FilterHeight"), o.step("FilterWidth")), (o.step("StrideH"), o.step("StrideW"))
        padding = explicit_padding(o.option("Padding"), rank4(o.x())[1:3], size, stride)
        attributes: dict[str, Any] = {"size": size, "stride": stride, "padding": padding, "activation": o.activation()}
        if kind == "average_pool2d" and o.was_uint8:
            attributes["round_half_up"] = True  # uint8 averages round on unsigned values
        return Recipe(kind, attributes, (0,))

    return build


def _reduce(kind: str) -> Builder:
    def build(o: Operands) -> Recipe:
        rank = len(o.x().shape)
        axes = sorted({o.axis(a, rank) for a in o.integers(1)})
        return Recipe(kind, {"reduce_axes": tuple(axes), "keep_dims": bool(o.option("KeepDims"))}, (0,))

    return build


def _binary(kind: str) -> Builder:
    return lambda o: Recipe(kind, {"activation": o.activation()}, (0, 1))


def _plain(kind: str, count: int = 1) -> Builder:
    return lambda o: Recipe(kind, {}, tuple(range(count)))


def _pad(o: Operands) -> Recipe:
    rank = len(o.x().shape)
    table = o.integers(1)
    if len(table) != 2 * rank or not all(0 <= n <= MAX_STEP for n in table):
        raise UnsupportedModel(f"paddings {list(table)} make no sense for {rank} dimensions")
    value = None
    if o.op.code == "PADV2":
        values = o.integers(2)
        if len(values) != 1:
            raise UnsupportedModel("the padding value is not one number")
        value = values[0]
    return Recipe("pad", {"paddings": tuple(zip(table[::2], table[1::2], strict=True)), "value": value}, (0,))


def _reshape(o: Operands) -> Recipe:
    """The shape operand, else the option; one -1 stands for what remains."""
    shape = o.integers(1) if o.present(1) else tuple(o.option("NewShape"))
    elements = o.x().type.elements
    known = math.prod(n for n in shape if n != -1)
    if shape.count(-1) == 1 and known > 0 and elements % known == 0:
        shape = tuple(elements // known if n == -1 else n for n in shape)
    if any(n < 1 for n in shape) or math.prod(shape) != elements:
        raise UnsupportedModel(f"{list(o.x().shape)} cannot become {list(shape)}")
    return Recipe("reshape", {"shape": shape}, (0,))


def _squeeze(o: Operands) -> Recipe:
    shape = o.x().shape
    dims = {o.axis(d, len(shape)) for d in o.op.options.get("SqueezeDims", ())}
    gone = dims or {i for i, n in enumerate(shape) if n == 1}
    if any(shape[i] != 1 for i in gone):
        raise UnsupportedModel(f"dimensions {sorted(gone)} of {list(shape)} are not 1")
    return Recipe("reshape", {"shape": tuple(n for i, n in enumerate(shape) if i not in gone)}, (0,))


def _expand_dims(o: Operands) -> Recipe:
    shape = list(o.x().shape)
    shape.insert(o.axis(o.integers(1)[0], len(shape) + 1), 1)
    return Recipe("reshape", {"shape": tuple(shape)}, (0,))


def _concatenation(o: Operands) -> Recipe:
    axis = o.axis(int(o.option("Axis")), len(o.x().shape))
    inputs = tuple(range(len(o.op.inputs)))
    return Recipe("concatenation", {"axis": axis, "activation": o.activation()}, inputs)


def _split(o: Operands) -> Recipe:
    axis = o.axis(o.integers(0)[0], len(o.x(1).shape))
    size, count = o.x(1).shape[axis], len(o.outs)
    if count == 0 or size % count:
        raise UnsupportedModel(f"{size} cannot be split into {count} equal parts")
    return Recipe("split", {"axis": axis, "sizes": (size // count,) * count}, (1,))


def _split_v(o: Operands) -> Recipe:
    axis = o.axis(o.integers(2)[0], len(o.x().shape))
    size, sizes = o.x().shape[axis], o.integers(1)
    rest = size - sum(n for n in sizes if n != -1)
    sizes = tuple(rest if n == -1 else n for n in sizes)
    if sum(sizes) != size or len(sizes) != len(o.outs) or any(n < 1 for n in sizes):
        raise UnsupportedModel(f"{size} cannot be split into {list(sizes)}")
    return Recipe("split", {"axis": axis, "sizes": sizes}, (0,))


def _slice(o: Operands) -> Recipe:
    shape, begin, size = o.x().shape, o.integers(1), o.integers(2)
    if len(begin) != len(shape) or len(size) != len(shape):
        raise UnsupportedModel(f"begin {list(begin)} and size {list(size)} do not match {list(shape)}")
    size = tuple(n - b if s == -1 else s for n, b, s in zip(shape, begin, size, strict=True))
    if any(b < 0 or s < 1 or b + s > n for n, b, s in zip(shape, begin, size, strict=True)):
        raise UnsupportedModel(f"begin {list(begin)} and size {list(size)} reach outside {list(shape)}")
    return Recipe("slice", {"begin": begin, "size": size}, (0,))


def _strided_slice(o: Operands) -> Recipe:
    span = strided_slice(o.x().shape, o.integers(1), o.integers(2), o.integers(3), o.op.options)
    return Recipe("strided_slice", span, (0,))


def _pack(o: Operands) -> Recipe:
    axis = o.axis(int(o.option("Axis")), len(o.x().shape) + 1)
    return Recipe("pack", {"axis": axis}, tuple(range(len(o.op.inputs))))


def _unpack(o: Operands) -> Recipe:
    axis = o.axis(int(o.option("Axis")), len(o.x().shape))
    if o.x().shape[axis] != len(o.outs):
        raise UnsupportedModel(f"dimension {axis} is {o.x().shape[axis]}, the operator has {len(o.outs)} outputs")
    return Recipe("unpack", {"axis": axis}, (0,))


def _transpose(o: Operands) -> Recipe:
    rank = len(o.x().shape)
    perm = tuple(o.axis(p, rank) for p in o.integers(1))
    if sorted(perm) != list(range(rank)):
        raise UnsupportedModel(f"{list(perm)} is no permutation of {rank} dimensions")
    return Recipe("transpose", {"perm": perm}, (0,))


def _resize(kind: str) -> Builder:
    def build(o: Operands) -> Recipe:
        size = o.integers(1)
        rank4(o.x())
        if len(size) != 2 or not all(1 <= n <= MAX_STEP for n in size):
            raise UnsupportedModel(f"size {list(size)} makes no sense")
        flags = {"align_corners": bool(o.option("AlignCorners"))}
        flags["half_pixel_centers"] = bool(o.option("HalfPixelCenters"))
        if kind == "resize_bilinear" and o.was_uint8:
            flags["from_uint8"] = True  # the reference does uint8 in float32, rounding ties up
        return Recipe(kind, {"size": size, **flags}, (0,))

    return build


def _arg(kind: str) -> Builder:
    def build(o: Operands) -> Recipe:
        if o.outs[0].dtype != "INT32":
            raise UnsupportedModel(f"it gives {o.outs[0].dtype.lower()}; only int32 indices are supported")
        return Recipe(kind, {"axis": o.axis(o.integers(1)[0], len(o.x().shape))}, (0,))

    return build


def _block(kind: str) -> Builder:
    return lambda o: Recipe(kind, {"block": o.step("BlockSize")}, (0,))


BUILDERS: dict[str, Builder] = {
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _conv,
    "TRANSPOSE_CONV": _transpose_conv,
    "FULLY_CONNECTED": _fully_connected,
    "AVERAGE_POOL_2D": _pool("average_pool2d"),
    "MAX_POOL_2D": _pool("max_pool2d"),
    "MEAN": _reduce("mean"),
    "SUM": _reduce("sum"),
    "ADD": _binary("add"),
    "SUB": _binary("sub"),
    "MUL": _binary("mul"),
    "MAXIMUM": _plain("maximum", 2),
    "MINIMUM": _plain("minimum", 2),
    "PAD": _pad,
    "PADV2": _pad,
    "RESHAPE": _reshape,
    "SQUEEZE": _squeeze,
    "EXPAND_DIMS": _expand_dims,
    "SOFTMAX": lambda o: Recipe("softmax", {"beta": float(np.float32(o.option("Beta")))}, (0,)),
    "LOG_SOFTMAX": _plain("log_softmax"),
    "LOGISTIC": _plain("logistic"),
    "TANH": _plain("tanh"),
    "RELU": _plain("relu"),
    "RELU6": _plain("relu6"),
    "RELU_N1_TO_1": _plain("relu_n1_to_1"),
    "LEAKY_RELU": lambda o: Recipe("leaky_relu", {"alpha": float(np.float32(o.option("Alpha")))}, (0,)),
    "PRELU": _plain("prelu", 2),
    "HARD_SWISH": _plain("hard_swish"),
    "GELU": lambda o: Recipe("gelu", {"approximate": bool(o.option("Approximate"))}, (0,)),
    "CONCATENATION": _concatenation,
    "SPLIT": _split,
    "SPLIT_V": _split_v,
    "SLICE": _slice,
    "STRIDED_SLICE": _strided_slice,
    "PACK": _pack,
    "UNPACK": _unpack,
    "TRANSPOSE": _transpose,
    "RESIZE_NEAREST_NEIGHBOR": _resize("resize_nearest_neighbor"),
    "RESIZE_BILINEAR": _resize("resize_bilinear"),
    "QUANTIZE": _plain("quantize"),
    "DEQUANTIZE": _plain("dequantize"),
    "ARG_MAX": _arg("arg_max"),
    "ARG_MIN": _arg("arg_min"),
    "DEPTH_TO_SPACE": _block("depth_to_space"),
    "SPACE_TO_DEPTH": _block("space_to_depth"),
}
