"""A network as shapes: what the fast level needs to know of a candidate architecture, without weights or scales.

NetworkShape((96, 96, 3), (
    LayerShape("conv2d", channels=16, kernel=(3, 3), stride=(2, 2)),
    LayerShape("depthwise_conv2d", kernel=(3, 3)),
    LayerShape("conv2d", channels=16),
    LayerShape("add", inputs=(0, 2)),
    LayerShape("mean"),
    LayerShape("fully_connected", channels=10),
))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from tinyforge.errors import UsageError
from tinyforge.ir.graph import Tensor
from tinyforge.ir.types import DType
from tinyforge.ops import OPS
from tinyforge.ops.add import Add
from tinyforge.ops.average_pool2d import AveragePool2D
from tinyforge.ops.base import Activation, Op
from tinyforge.ops.concatenation import Concatenation
from tinyforge.ops.conv2d import Conv2D
from tinyforge.ops.depthwise_conv2d import DepthwiseConv2D
from tinyforge.ops.fully_connected import FullyConnected
from tinyforge.ops.lookup import Lookup
from tinyforge.ops.max_pool2d import MaxPool2D
from tinyforge.ops.mean import Mean
from tinyforge.ops.mul import Mul
from tinyforge.ops.softmax import Softmax
from tinyforge.schedule.facts import Call, LayerFacts, layer_facts, stand_in
from tinyforge.schedule.wiring import Wired

Padding = str | tuple[int, int, int, int]
Shape = tuple[int, ...]
NETWORK_INPUT = -1
LOOKUPS = ("hard_swish", "logistic", "relu", "relu6", "relu_n1_to_1", "tanh")
KINDS = (
    "conv2d",
    "depthwise_conv2d",
    "fully_connected",
    "add",
    "mul",
    "mean",
    "average_pool2d",
    "max_pool2d",
    "concatenation",
    "softmax",
    *LOOKUPS,
)
"""Kinds of layers a NetworkShape may have; activations that are fused into a layer are not layers."""


@dataclass(frozen=True, slots=True)
class LayerShape:
    """One layer of int8 activations.

    inputs: indices of the layers read, -1 the network's input; empty: the layer before. channels: of the output, for
    ``conv2d`` and ``fully_connected``; for ``depthwise_conv2d`` the multiplier is channels over input channels (0: one
    each). kernel, stride, dilation: (rows, columns). padding: ``same`` and ``valid`` as TensorFlow has them, or (top,
    bottom, left, right). ``mean``: over rows and columns, giving a vector. ``mul`` of a map and a vector is a gate.
    """

    kind: str
    inputs: tuple[int, ...] = ()
    channels: int = 0
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    padding: Padding = "same"
    dilation: tuple[int, int] = (1, 1)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UsageError(f"a layer of kind {self.kind!r} is unknown; choose one of {', '.join(KINDS)}")


@dataclass(frozen=True, slots=True)
class NetworkShape:
    """``input``: (height, width, channels). Layers in the order of execution; the last one, and every one that nothing
    reads, is an output."""

    input: tuple[int, int, int]
    layers: tuple[LayerShape, ...]


def wire(network: NetworkShape) -> Wired:
    """Facts of a network of shapes; UsageError where shapes do not fit together."""
    shapes: list[Shape] = [(1, *network.input)]
    facts, reads = [], []
    read: set[int] = set()
    for index, layer in enumerate(network.layers):
        inputs = tuple(i + 1 for i in layer.inputs) or (index,)
        if any(not 0 <= i <= index for i in inputs):
            raise UsageError(f"layer {index} ({layer.kind}) reads a layer that comes after it or does not exist")
        found, shape = _layer(
            layer.kind,
            tuple(shapes[i] for i in inputs),
            (layer.channels, layer.kernel, layer.stride, layer.padding, layer.dilation),
        )
        shapes.append(shape)
        facts.append(found)
        reads.append(inputs)
        read.update(inputs)
    outputs = tuple(i for i in range(1, len(shapes)) if i not in read)
    return Wired(facts, reads, outputs, network.input)


_Attributes = tuple[int, tuple[int, int], tuple[int, int], Padding, tuple[int, int]]


@lru_cache(maxsize=100_000)
def _layer(kind: str, shapes: tuple[Shape, ...], attributes: _Attributes) -> tuple[LayerFacts, Shape]:
    """Facts and output shape of one layer."""
    if kind == "mul" and max(map(len, shapes)) == 4:
        shapes = tuple((1, 1, *s) if len(s) == 2 else s for s in shapes)  # a gate, after the reshape it needs
    op, weights = _operator(kind, shapes, attributes)
    live = tuple(stand_in(str(i), shape, DType.INT8) for i, shape in enumerate(shapes))
    ins = (*live, *(stand_in("w", shape, DType.INT8, constant=True) for shape in weights))
    try:
        (shape,) = op.infer(ins)
    except Exception as error:
        raise UsageError(f"{kind} does not fit {' and '.join(map(str, shapes))}: {error}") from error
    outs = (stand_in("out", shape, DType.INT8),)
    keys = (*((t.shape, DType.INT8, True) for t in live), *((s, DType.INT8, False) for s in weights))
    return layer_facts(op, keys, ((shape, DType.INT8),), _call(op, ins, outs)), shape


def _operator(kind: str, shapes: tuple[Shape, ...], attributes: _Attributes) -> tuple[Op, tuple[Shape, ...]]:
    """The operator and the shapes of its constants."""
    channels, kernel, stride, padding, dilation = attributes
    none = Activation.NONE
    x = shapes[0]
    if kind == "fully_connected":
        features = 1
        for n in x:
            features *= n
        return FullyConnected(none), ((channels, features),)
    if kind == "mean":
        return Mean((1, 2), False), ()
    if kind == "concatenation":
        return Concatenation(len(x) - 1), ()
    if kind in ("add", "mul"):
        return (Add(none) if kind == "add" else Mul(none)), ()
    if kind == "softmax":
        return Softmax(1.0), ()
    if kind in LOOKUPS:
        return OPS[kind](), ()
    edges = _edges(padding, x, kernel, stride, dilation)
    if kind == "conv2d":
        return Conv2D(stride, dilation, edges, none), ((channels, *kernel, x[3]),)
    if kind == "depthwise_conv2d":
        multiplier = max(channels // x[3], 1)
        return DepthwiseConv2D(stride, dilation, edges, multiplier, none), ((1, *kernel, x[3] * multiplier),)
    pool = AveragePool2D if kind == "average_pool2d" else MaxPool2D
    return pool(kernel, stride, edges, none), ()


def _edges(
    padding: Padding, x: Shape, kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int]
) -> tuple[int, int, int, int]:
    """(top, bottom, left, right), as TensorFlow pads."""
    if not isinstance(padding, str):
        return padding
    if padding == "valid":
        return 0, 0, 0, 0
    if padding != "same" or len(x) != 4:
        raise UsageError(f"padding {padding!r} of {x} makes no sense; give same, valid or four numbers")
    found = []
    for size, k, s, d in zip(x[1:3], kernel, stride, dilation, strict=True):
        total = max((-(-size // s) - 1) * s + (k - 1) * d + 1 - size, 0)
        found += [total // 2, total - total // 2]
    return found[0], found[1], found[2], found[3]


def _call(op: Op, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> Call:
    """What the operator's kernel call with the least scratch will be like."""
    live = [i for i, t in enumerate(ins) if not t.is_constant]
    pointwise = isinstance(op, Conv2D) and ins[1].shape[1:3] == (1, 1) and op.stride == (1, 1)
    elementwise = isinstance(op, (Add, Mul, Lookup))
    form = "reduce" if op.accumulates(ins, outs) else "rows" if op.axes(ins, outs, 0) is not None else "flat"
    in_place = tuple(i for i in live if elementwise and ins[i].shape == outs[0].shape)
    return Call(form, op.least_scratch(ins, outs), in_place, False, pointwise or elementwise)
