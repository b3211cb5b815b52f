"""A few tiny networks with fixed weights and schedules: for goldens, compiler checks and guards of the C contract."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from tinyforge.codegen.generate import SourceTree, generate, lower_graph
from tinyforge.ir.graph import Graph, Node, Tensor
from tinyforge.ir.memory_plan import MemoryPlan
from tinyforge.ir.schedule import CACHED, RECOMPUTED, FusedStage, LayerStage, Schedule
from tinyforge.ir.types import Array, DType, Quant, TensorType
from tinyforge.memory.plan import plan_memory
from tinyforge.ops.add import Add
from tinyforge.ops.base import Activation, Op
from tinyforge.ops.concatenation import Concatenation
from tinyforge.ops.conv2d import Conv2D
from tinyforge.ops.depthwise_conv2d import DepthwiseConv2D
from tinyforge.ops.fully_connected import FullyConnected
from tinyforge.ops.max_pool2d import MaxPool2D
from tinyforge.ops.mean import Mean
from tinyforge.ops.pad import Pad
from tinyforge.ops.reshape import Reshape
from tinyforge.ops.resize_bilinear import ResizeBilinear
from tinyforge.ops.softmax import Softmax
from tinyforge.ops.split import Split
from tinyforge.ops.transpose import Transpose

ONE = (1, 1)
NONE = Activation.NONE


def pattern(shape: Sequence[int], dtype: type = np.int8) -> Array:
    """Made-up values that look random and never change."""
    count = int(np.prod(shape))
    return ((np.arange(count, dtype=np.int64) * 83 + 29) % 251 - 125).reshape(shape).astype(dtype)


@dataclass
class Net:
    """Grows a graph; outputs get the inferred shapes."""

    name: str
    tensors: dict[str, Tensor] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)

    def input(self, name: str, shape: tuple[int, ...], quant: tuple[float, int]) -> str:
        return self._tensor(name, shape, quant)

    def _tensor(self, name: str, shape: tuple[int, ...], quant: tuple[float, int]) -> str:
        kind = TensorType(shape, DType.INT8, Quant((float(np.float32(quant[0])),), (quant[1],)))
        self.tensors[name] = Tensor(name, kind)
        return name

    def weights(self, name: str, shape: tuple[int, ...], axis: int = 0) -> tuple[str, str]:
        """Per-channel weights and a bias."""
        scales = tuple(float(np.float32(0.004 + 0.001 * (i % 5))) for i in range(shape[axis]))
        quant = Quant(scales, (0,) * len(scales), axis)
        data, bias = pattern(shape), pattern((shape[axis],), np.int32) * 3
        self.tensors[f"{name}_w"] = Tensor(f"{name}_w", TensorType(shape, DType.INT8, quant), data)
        self.tensors[f"{name}_b"] = Tensor(f"{name}_b", TensorType(bias.shape, DType.INT32, quant), bias)
        return f"{name}_w", f"{name}_b"

    def op(self, name: str, op: Op, inputs: Sequence[str], quant: tuple[float, int]) -> list[str]:
        shapes = op.infer([self.tensors[n] for n in inputs])
        names = [name] if len(shapes) == 1 else [f"{name}_{i}" for i in range(len(shapes))]
        outputs = tuple(self._tensor(n, s, quant) for n, s in zip(names, shapes, strict=True))
        self.nodes.append(Node(name, op, tuple(inputs), outputs))
        op.check([self.tensors[n] for n in inputs], [self.tensors[n] for n in outputs])
        return list(outputs)

    def graph(self, outputs: Sequence[str]) -> Graph:
        made = {n for node in self.nodes for n in node.outputs}
        inputs = tuple(n for n, t in self.tensors.items() if n not in made and not t.is_constant)
        return Graph(self.name, self.tensors, tuple(self.nodes), inputs, tuple(outputs))


def classifier() -> tuple[Graph, Schedule]:
    """Convolutions in patches, a residual, global average, dense layer, softmax."""
    net = Net("classifier")
    x = net.input("image", (1, 8, 8, 2), (0.05, -3))
    (a,) = net.op(
        "stem", Conv2D(ONE, ONE, (1, 1, 1, 1), Activation.RELU6), [x, *net.weights("stem", (4, 3, 3, 2))], (0.06, -128)
    )
    same = DepthwiseConv2D(ONE, ONE, (1, 1, 1, 1), 1, Activation.RELU)
    (b,) = net.op("spread", same, [a, *net.weights("spread", (1, 3, 3, 4), 3)], (0.06, -128))
    (c,) = net.op("mix", Conv2D((2, 2), ONE, (0, 1, 0, 1), NONE), [b, *net.weights("mix", (4, 2, 2, 4))], (0.08, 5))
    (d,) = net.op("again", Conv2D(ONE, ONE, (0, 0, 0, 0), NONE), [c, *net.weights("again", (4, 1, 1, 4))], (0.07, -9))
    (e,) = net.op("join", Add(NONE), [c, d], (0.1, 1))
    (f,) = net.op("average", Mean((1, 2), False), [e], (0.1, 1))
    (g,) = net.op("dense", FullyConnected(NONE, False), [f, *net.weights("dense", (3, 4))], (0.1, 0))
    (h,) = net.op("answer", Softmax(1.0), [g], (1 / 256, -128))
    fused = FusedStage(0, 2, 2, 2, ((a, RECOMPUTED), (b, RECOMPUTED)))
    return net.graph([h]), Schedule((fused, *(LayerStage(i) for i in range(3, 8))))


def movements() -> tuple[Graph, Schedule]:
    """Two outputs, operators that only move elements, layer by layer."""
    net = Net("movements")
    quant = (0.1, 7)
    x = net.input("x", (1, 4, 5, 4), quant)
    left, right = net.op("split", Split(3, (1, 3)), [x], quant)
    (a,) = net.op("pad", Pad(((0, 0), (1, 0), (0, 2), (0, 0)), None), [left], quant)
    (b,) = net.op("resize", ResizeBilinear((5, 7), False, True), [right], quant)
    (c,) = net.op("concat", Concatenation(3), [a, b], quant)
    (d,) = net.op("turn", Transpose((0, 3, 1, 2)), [c], quant)
    (e,) = net.op("flat", Reshape((4, 35)), [d], quant)
    return net.graph([c, e]), Schedule(tuple(LayerStage(i) for i in range(6)))


def rows() -> tuple[Graph, Schedule]:
    """Input row by row through line buffers."""
    net = Net("rows")
    x = net.input("lines", (1, 9, 6, 1), (0.02, 0))
    (a,) = net.op(
        "edge", Conv2D(ONE, ONE, (1, 1, 1, 1), Activation.RELU), [x, *net.weights("edge", (3, 3, 3, 1))], (0.05, -128)
    )
    (b,) = net.op("pool", MaxPool2D((2, 2), (2, 2), (0, 1, 0, 0), NONE), [a], (0.05, -128))
    (c,) = net.op("deep", Conv2D(ONE, ONE, (1, 1, 1, 1), NONE), [b, *net.weights("deep", (2, 3, 3, 3))], (0.09, 4))
    stage = FusedStage(0, 2, 1, 3, ((a, CACHED), (b, CACHED)))
    return net.graph([c]), Schedule((stage,), input_rows=True)


TINY: dict[str, Callable[[], tuple[Graph, Schedule]]] = {"classifier": classifier, "movements": movements, "rows": rows}


@dataclass(frozen=True)
class Built:
    """A tiny network, compiled."""

    graph: Graph
    schedule: Schedule
    plan: MemoryPlan
    tree: SourceTree


def build(name: str) -> Built:
    """Compile the tiny network ``name``."""
    graph, schedule = TINY[name]()
    calls = lower_graph(graph)
    plan = plan_memory(graph, schedule, calls, effort=100)
    tree = generate(graph, schedule, plan, calls, f"tiny_{name}", "tests", (f"{plan.arena_bytes} B of arena",))
    return Built(graph, schedule, plan, tree)


@cache
def built(name: str) -> Built:
    """The same, made once."""
    return build(name)
