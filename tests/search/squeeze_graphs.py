"""Random networks of inverted residual blocks with squeeze-and-excite, in the forms that converters give them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.search.random_graphs import Builder
from tinyforge.ir.graph import Graph
from tinyforge.ir.types import Quant
from tinyforge.ops.add import Add
from tinyforge.ops.average_pool2d import AveragePool2D
from tinyforge.ops.base import Activation, Op
from tinyforge.ops.conv2d import Conv2D
from tinyforge.ops.depthwise_conv2d import DepthwiseConv2D
from tinyforge.ops.fully_connected import FullyConnected
from tinyforge.ops.hard_swish import HardSwish
from tinyforge.ops.logistic import Logistic
from tinyforge.ops.mean import Mean
from tinyforge.ops.mul import Mul
from tinyforge.ops.reshape import Reshape

PIXEL = (1, 1)


class SqueezeBuilder(Builder):
    """Adds nodes that always fit; every activation has a quantisation of its own unless an operator shares it."""

    def put(self, op: Op, *inputs: str, like: str = "", quant: Quant | None = None) -> str:
        out = self.apply(op, *inputs)
        assert out is not None, op
        chosen = self.tensors[like].type.quant if like else quant
        if chosen is not None:
            kind = self.tensors[out].type
            self.tensors[out] = replace(self.tensors[out], type=replace(kind, quant=chosen))
        return out

    def conv(self, x: str, channels: int, activation: Activation = Activation.NONE, kernel: int = 1, s: int = 1) -> str:
        w, bias = self.weights((channels, kernel, kernel, self.tensors[x].shape[3]), 0)
        pad = kernel // 2
        return self.put(Conv2D((s, s), PIXEL, (pad, pad, pad, pad), activation), x, w, bias)

    def depthwise(self, x: str, kernel: int, stride: int, activation: Activation) -> str:
        w, bias = self.weights((1, kernel, kernel, self.tensors[x].shape[3]), 3)
        before = (kernel - 1) // 2 if stride == 1 else max(kernel // 2 - 1, 0)
        pads = (before, kernel // 2, before, kernel // 2)
        return self.put(DepthwiseConv2D((stride, stride), PIXEL, pads, 1, activation), x, w, bias)

    def dense(self, x: str, outputs: int, activation: Activation) -> str:
        w, bias = self.weights((outputs, self.tensors[x].type.elements), 0)
        return self.put(FullyConnected(activation), x, w, bias)

    def squeeze(self, x: str) -> str:
        """Global mean at once, in two steps with their own roundings, or as an average pooling."""
        style = int(self.rng.integers(3))
        if style == 0:
            return self.put(Mean((1, 2), True), x)
        if style == 1:
            return self.put(Mean((1,), True), self.put(Mean((2,), True), x))
        return self.put(AveragePool2D(self.tensors[x].shape[1:3], PIXEL, (0, 0, 0, 0), Activation.NONE), x, like=x)

    def gate(self, x: str, channels: int) -> str:
        """Two small layers, then a sigmoid or a hard one of an addition and a clamp."""
        vector = self.squeeze(x)
        few = max(1, channels // 4)
        if self.rng.random() < 0.5:
            y = self.conv(self.conv(vector, few, Activation.RELU), channels)
        else:
            y = self.dense(self.dense(vector, few, Activation.RELU), channels, Activation.NONE)
            y = self.put(Reshape((1, 1, 1, channels)), y, like=y)
        if self.rng.random() < 0.5:
            return self.put(Logistic(), y, quant=Quant((1 / 256,), (-128,)))
        half = self.constant(np.full((), 60, np.int8), Quant((0.05,), (0,)))
        return self.put(Add(Activation.RELU6), y, half, quant=Quant((float(np.float32(6 / 255)),), (-128,)))

    def block(self, x: str) -> str:
        """An inverted residual block, with its squeeze most of the time; the residual where shapes allow it."""
        kernel, stride = int(self.rng.choice([3, 3, 5])), int(self.rng.choice([1, 1, 1, 2]))
        narrow = self.tensors[x].shape[3]
        wide = narrow * int(self.rng.integers(3, 7))
        swish = self.rng.random() < 0.4
        activation = Activation.NONE if swish else Activation.RELU6
        y = self.conv(x, wide, activation)
        y = self.put(HardSwish(), y) if swish else y
        y = self.depthwise(y, kernel, stride, activation)
        y = self.put(HardSwish(), y) if swish else y
        if self.rng.random() < 0.8:
            gate = self.gate(y, wide)
            y = self.put(Mul(Activation.NONE), *((y, gate) if self.rng.random() < 0.5 else (gate, y)))
        same = stride == 1 and self.rng.random() < 0.7
        y = self.conv(y, narrow if same else int(self.rng.integers(2, 7)))
        return self.put(Add(Activation.NONE), *((y, x) if self.rng.random() < 0.5 else (x, y))) if same else y


def squeeze_graph(rng: np.random.Generator, blocks: int, largest: int = 18) -> Graph:
    """A strided stem, ``blocks`` blocks, a global mean and a classifier, for maps of 8..``largest`` rows, columns."""
    b = SqueezeBuilder(rng)
    x = b.activation((1, *(int(n) for n in rng.integers(8, largest + 1, 2)), 3))
    x = b.conv(x, int(rng.integers(2, 6)), Activation.RELU6, 3, int(rng.choice([1, 2])))
    for _ in range(blocks):
        x = b.block(x)
    x = b.dense(b.put(Mean((1, 2), False), x), 5, Activation.NONE)
    return b.graph([x])
