"""From a candidate's layers to a quantised graph without training: what the scheduler needs to know of a network.

Weights are made up and scales are typical ones, so that the kernels, their tables and their scratch are those that the
trained network of the same layers gets.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from tinyforge.ir.graph import Graph, Node, Tensor
from tinyforge.ir.types import Array, DType, Quant, TensorType
from tinyforge.ops.add import Add
from tinyforge.ops.average_pool2d import AveragePool2D
from tinyforge.ops.base import Activation, Op
from tinyforge.ops.conv2d import Conv2D
from tinyforge.ops.depthwise_conv2d import DepthwiseConv2D
from tinyforge.ops.fully_connected import FullyConnected
from tinyforge.ops.logistic import Logistic
from tinyforge.ops.max_pool2d import MaxPool2D
from tinyforge.ops.mean import Mean
from tinyforge.ops.mul import Mul
from tinyforge.search.architecture import Architecture, Layer

INPUT_QUANT = (1 / 255, -128)
RELU6_QUANT = (6 / 255, -128)
LINEAR_QUANT = (0.1, 3)
SIGMOID_QUANT = (1 / 256, -128)
_POOLS = {"max": MaxPool2D, "average": AveragePool2D}


@lru_cache(maxsize=4096)
def _noise(shape: tuple[int, ...]) -> Array:
    """int8 weights without a pattern, the same at every call."""
    return np.random.default_rng(1).integers(-127, 128, shape, np.int8)


@lru_cache(maxsize=4096)
def _scales(count: int, axis: int) -> Quant:
    return Quant((float(np.float32(0.004)),) * count, (0,) * count, axis)


def _pads(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """SAME padding before and after along one axis."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class _Grower:
    """Tensors and nodes made so far."""

    def __init__(self, architecture: Architecture) -> None:
        self.architecture = architecture
        self.tensors: dict[str, Tensor] = {}
        self.nodes: list[Node] = []
        self._activation("input", (1, *architecture.input_shape), INPUT_QUANT)

    def _activation(self, name: str, shape: tuple[int, ...], quant: tuple[float, int]) -> None:
        kind = TensorType(shape, DType.INT8, Quant((float(np.float32(quant[0])),), (quant[1],)))
        self.tensors[name] = Tensor(name, kind)

    def _weights(self, name: str, shape: tuple[int, ...], axis: int) -> list[str]:
        count = shape[axis]
        quant = _scales(count, axis)
        self.tensors[f"{name}/w"] = Tensor(f"{name}/w", TensorType(shape, DType.INT8, quant), _noise(shape))
        bias = np.zeros(count, np.int32)
        self.tensors[f"{name}/b"] = Tensor(f"{name}/b", TensorType((count,), DType.INT32, _scales(count, 0)), bias)
        return [f"{name}/w", f"{name}/b"]

    def _node(self, name: str, op: Op, inputs: Sequence[str], shape: tuple[int, ...], quant: tuple[float, int]) -> None:
        self._activation(name, shape, quant)
        self.nodes.append(Node(name, op, tuple(inputs), (name,)))

    def layer(self, layer: Layer) -> None:
        """One layer becomes one operator, or two where its activation is an operator of its own."""
        clamp = Activation.RELU6 if layer.activation == "relu6" else Activation.NONE
        quant = RELU6_QUANT if layer.activation == "relu6" else LINEAR_QUANT
        whole = (1, *layer.shape)
        if layer.kind in ("conv", "depthwise"):
            self._convolution(layer, clamp, quant)
        elif layer.kind in _POOLS:
            pooling = _POOLS[layer.kind](layer.kernel, layer.stride, (0, 0, 0, 0), clamp)
            source = self.tensors[layer.inputs[0]].type
            self._node(layer.name, pooling, layer.inputs, whole, (source.scale, source.zero_point))
        elif layer.kind == "add":
            self._node(layer.name, Add(clamp), layer.inputs, whole, quant)
        elif layer.kind == "mul":
            self._node(layer.name, Mul(Activation.NONE), layer.inputs, whole, quant)
        elif layer.kind == "mean":
            source = self.tensors[layer.inputs[0]].type
            last = layer.name == "pool"
            shape = (1, layer.shape[2]) if last else whole
            self._node(layer.name, Mean((1, 2), not last), layer.inputs, shape, (source.scale, source.zero_point))
        else:
            weights = self._weights(layer.name, (layer.shape[2], self.tensors["pool"].shape[-1]), 0)
            op = FullyConnected(Activation.NONE)
            self._node(layer.name, op, [*layer.inputs, *weights], (1, layer.shape[2]), LINEAR_QUANT)

    def _convolution(self, layer: Layer, clamp: Activation, quant: tuple[float, int]) -> None:
        rows, cols, taken = self.tensors[layer.inputs[0]].type.hwc
        top, bottom = _pads(rows, layer.kernel[0], layer.stride[0])
        left, right = _pads(cols, layer.kernel[1], layer.stride[1])
        padding, made = (top, bottom, left, right), layer.shape[2]
        if layer.kind == "conv":
            op: Op = Conv2D(layer.stride, (1, 1), padding, clamp)
            weights = self._weights(layer.name, (made, *layer.kernel, taken), 0)
        else:
            op = DepthwiseConv2D(layer.stride, (1, 1), padding, 1, clamp)
            weights = self._weights(layer.name, (1, *layer.kernel, made), 3)
        inputs = [*layer.inputs, *weights]
        if layer.activation == "sigmoid":
            self._node(f"{layer.name}/linear", op, inputs, (1, *layer.shape), LINEAR_QUANT)
            self._node(layer.name, Logistic(), [f"{layer.name}/linear"], (1, *layer.shape), SIGMOID_QUANT)
        else:
            self._node(layer.name, op, inputs, (1, *layer.shape), quant)


def light_graph(architecture: Architecture) -> Graph:
    """The int8 graph of ``architecture`` with made-up weights, as the importer and the passes would give it."""
    grower = _Grower(architecture)
    for layer in architecture.layers:
        grower.layer(layer)
    last = architecture.layers[-1].name
    return Graph("candidate", grower.tensors, tuple(grower.nodes), ("input",), (last,))
