"""Random small networks and random schedules of them, from a numpy generator."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from tinyforge.ir.graph import Graph, Node, Tensor
from tinyforge.ir.schedule import CACHED, FusedStage, Halo, LayerStage, Schedule, Stage, TensorMode
from tinyforge.ir.types import Array, DType, Quant, TensorType
from tinyforge.ir.window import Window
from tinyforge.memory.layouts import stage_layouts
from tinyforge.ops import OPS
from tinyforge.ops.base import Activation, Op, Piece
from tinyforge.ops.channel_slices import sliceable, sliced_calls
from tinyforge.ops.conv2d import Conv2D
from tinyforge.ops.stage_windows import stage_nodes, walk_stage, whole_tensors


@dataclass
class Builder:
    """Grows a graph node by node; every activation is int8."""

    rng: np.random.Generator
    tensors: dict[str, Tensor] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)

    def activation(self, shape: tuple[int, ...]) -> str:
        name = f"t{len(self.tensors)}"
        quant = Quant((float(np.float32(self.rng.uniform(0.02, 0.09))),), (int(self.rng.integers(-20, 20)),))
        self.tensors[name] = Tensor(name, TensorType(shape, DType.INT8, quant))
        return name

    def constant(self, data: Array, quant: Quant) -> str:
        name = f"c{len(self.tensors)}"
        dtype = DType.INT8 if data.dtype == np.int8 else DType.INT32
        self.tensors[name] = Tensor(name, TensorType(data.shape, dtype, quant), data)
        return name

    def apply(self, op: Op, *inputs: str) -> str | None:
        """Adds a node; None where the operator does not fit the input's shape."""
        ins = [self.tensors[n] for n in inputs]
        try:
            (shape,) = op.infer(ins)
        except Exception:
            return None
        out = self.activation(shape)
        self.nodes.append(Node(f"n{len(self.nodes)}_{op.kind}", op, inputs, (out,)))
        return out

    def weights(self, shape: tuple[int, ...], axis: int) -> tuple[str, str]:
        data = self.rng.integers(-127, 128, shape).astype(np.int8)
        scales = tuple(float(np.float32(s)) for s in self.rng.uniform(0.002, 0.01, shape[axis]))
        bias = self.rng.integers(-200, 200, shape[axis]).astype(np.int32)
        quant = Quant(scales, (0,) * shape[axis], axis)
        return self.constant(data, quant), self.constant(bias, quant)

    def graph(self, outputs: Sequence[str]) -> Graph:
        return Graph("random", dict(self.tensors), tuple(self.nodes), ("t0",), tuple(outputs))


def _window(rng: np.random.Generator) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int, int, int]]:
    kernel = tuple(int(k) for k in rng.integers(1, 5, 2))
    stride = (int(rng.integers(1, 4)),) * 2 if rng.random() < 0.3 else (1, 1)
    padding = tuple(int(rng.integers(0, k)) for k in (kernel[0], kernel[0], kernel[1], kernel[1]))
    return (kernel[0], kernel[1]), (stride[0], stride[1]), (padding[0], padding[1], padding[2], padding[3])


def _conv(b: Builder, x: str, same: bool = False) -> str | None:
    kernel, stride, padding = _window(b.rng)
    channels = int(b.rng.integers(1, 6))
    dilation = (1, 1) if b.rng.random() < 0.7 else (2, 1)
    if same:
        kernel, stride, dilation, padding = (3, 3), (1, 1), (1, 1), (1, 1, 1, 1)
        channels = b.tensors[x].shape[3]
    w, bias = b.weights((channels, *kernel, b.tensors[x].shape[3]), 0)
    return b.apply(Conv2D(stride, dilation, padding, Activation.NONE), x, w, bias)


def _pointwise(b: Builder, x: str) -> str | None:
    w, bias = b.weights((int(b.rng.integers(1, 7)), 1, 1, b.tensors[x].shape[3]), 0)
    return b.apply(Conv2D((1, 1), (1, 1), (0, 0, 0, 0), Activation.RELU), x, w, bias)


def _depthwise(b: Builder, x: str) -> str | None:
    if "depthwise_conv2d" not in OPS:
        return None
    kernel, stride, padding = _window(b.rng)
    w, bias = b.weights((1, *kernel, b.tensors[x].shape[3]), 3)
    return b.apply(OPS["depthwise_conv2d"](stride, (1, 1), padding, 1, Activation.RELU6), x, w, bias)  # type: ignore[call-arg]


def _pool(b: Builder, x: str) -> str | None:
    kind = str(b.rng.choice(["average_pool2d", "max_pool2d"]))
    if kind not in OPS:
        return None
    kernel, stride, padding = _window(b.rng)
    return b.apply(OPS[kind](kernel, stride, padding, Activation.NONE), x)  # type: ignore[call-arg]


def _residual(b: Builder, x: str) -> str | None:
    if "add" not in OPS:
        return None
    y = _conv(b, x, same=True)
    if y is not None and b.rng.random() < 0.5:
        y = _conv(b, y, same=True)
    return None if y is None else b.apply(OPS["add"](Activation.NONE), x, y)  # type: ignore[call-arg]


def _global_pool(b: Builder, x: str) -> str | None:
    if "mean" in OPS and b.rng.random() < 0.5:
        return b.apply(OPS["mean"]((1, 2), bool(b.rng.random() < 0.5)), x)  # type: ignore[call-arg]
    size = b.tensors[x].shape[1:3]
    return b.apply(OPS["average_pool2d"](size, (1, 1), (0, 0, 0, 0), Activation.NONE), x)  # type: ignore[call-arg]


def random_graph(rng: np.random.Generator, length: int) -> Graph:
    """A chain of about ``length`` operators with residual blocks, on a map of 5..16 rows and columns."""
    b = Builder(rng)
    height, width = (int(s) for s in rng.integers(5, 17, 2))
    x = b.activation((1, height, width, int(rng.integers(1, 5))))
    makers = [_conv, _pointwise, _depthwise, _pool, _residual]
    while len(b.nodes) < length:
        made = makers[int(rng.integers(len(makers)))](b, x)
        if made is None:
            continue
        if b.tensors[made].type.hwc[0] < 3 or b.tensors[made].type.hwc[1] < 3:
            x = made
            break
        x = made
    outputs = [x]
    if rng.random() < 0.25:
        outputs.insert(0, b.nodes[len(b.nodes) // 2].outputs[0])
    if rng.random() < 0.4:
        outputs[-1] = _global_pool(b, x) or x
    return b.graph(list(dict.fromkeys(outputs)))


def random_schedule(rng: np.random.Generator, graph: Graph) -> Schedule:
    """Stages of random lengths, patch sizes and tensor modes; only ones the graph allows. Row-fed input where the first
    stage can take it, half of the time."""
    stages: list[Stage] = []
    at = 0
    while at < len(graph.nodes):
        last = min(len(graph.nodes) - 1, at + int(rng.integers(0, 7)))
        chains = [i for i in range(at + 1, len(graph.nodes)) if sliceable(graph, at, i)]
        if chains and rng.random() < 0.7:
            last = chains[-1]
        stage = _random_stage(rng, graph, at, last)
        stages.append(stage or LayerStage(at))
        at = (stage.last if stage else at) + 1
    first = stages[0]
    feedable = isinstance(first, FusedStage) and max(graph.consumers()[graph.inputs[0]]) <= first.last
    feedable = feedable and getattr(first, "slices", 1) == 1
    return Schedule(tuple(stages), input_rows=feedable and rng.random() < 0.5)


def _random_stage(rng: np.random.Generator, graph: Graph, first: int, last: int) -> FusedStage | None:
    while last > first and stage_nodes(graph, first, last) is None:
        last -= 1
    if last <= first:
        return None
    nodes = stage_nodes(graph, first, last)
    domain = nodes[-1].inputs[0][0] if nodes[-1].reduces else nodes[-1].outputs[0]
    height, width, _ = graph.tensors[domain].type.hwc
    patch_h = int(rng.integers(1, height + 1))
    patch_w = width if rng.random() < 0.4 else int(rng.integers(1, width + 1))
    inner = [t for i in range(first, last) for t in graph.nodes[i].outputs]
    outside = whole_tensors(graph, FusedStage(first, last, patch_h, patch_w))
    modes = tuple((t, CACHED if t in outside else _random_mode(rng, patch_w < width)) for t in inner)
    stage = FusedStage(first, last, patch_h, patch_w, modes)
    walk = walk_stage(graph, stage)
    try:
        stage_layouts(graph, walk)
    except ValueError:
        return None
    return _random_slices(rng, graph, stage) if walk.valid else None


def _random_slices(rng: np.random.Generator, graph: Graph, stage: FusedStage) -> FusedStage:
    """In some number of channel slices that all its kernels can do, most of the time, where it can be sliced."""
    if not sliceable(graph, stage.first, stage.last):
        return stage
    calls = [n.op.lower(graph.ins(n), graph.outs(n)) for n in graph.nodes if isinstance(n.op, Op)]
    found = []
    for slices in range(2, graph.outs(graph.nodes[stage.first])[0].shape[3] + 1):
        with contextlib.suppress(ValueError):
            sliced_calls(graph, replace(stage, slices=slices), calls)
            found.append(slices)
    return replace(stage, slices=int(rng.choice(found))) if found and rng.random() < 0.8 else stage


def _random_mode(rng: np.random.Generator, columns: bool) -> TensorMode:
    rows = Halo.CACHE if rng.random() < 0.5 else Halo.RECOMPUTE
    cols = Halo.CACHE if rng.random() < 0.6 or (columns and rows is Halo.CACHE) else Halo.RECOMPUTE
    return TensorMode(rows, cols)


def run_whole(graph: Graph, inputs: dict[str, Array]) -> dict[str, Array]:
    """Every operator on whole tensors, each in memory of its own."""
    values = dict(inputs)
    for node in graph.nodes:
        ins, outs = graph.ins(node), graph.outs(node)
        assert isinstance(node.op, Op)
        pieces = [Piece.whole(t.array() if t.is_constant else values[t.name]) for t in ins]
        height, width, _ = outs[0].type.hwc
        for t, data in zip(outs, node.op.compute(pieces, ins, outs, Window.full(height, width)), strict=True):
            values[t.name] = np.asarray(data)
    return {n: values[n] for n in graph.outputs}
