"""Random networks with a stage that runs in channel slices: a convolution, tables and a depthwise convolution of many
channels, with whatever reads the map behind it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tests.search.random_graphs import Builder, _random_mode
from tests.search.squeeze_graphs import PIXEL, SqueezeBuilder
from tinyforge.ir.graph import Graph
from tinyforge.ir.schedule import FusedStage, LayerStage, Schedule, TensorMode
from tinyforge.memory.layouts import stage_layouts
from tinyforge.ops.add import Add
from tinyforge.ops.base import Activation
from tinyforge.ops.depthwise_conv2d import DepthwiseConv2D
from tinyforge.ops.hard_swish import HardSwish
from tinyforge.ops.stage_windows import walk_stage

ACTIVATIONS = (Activation.NONE, Activation.RELU6)


@dataclass(frozen=True)
class Sliced:
    """A network and the nodes first..last of it that can run in slices of ``channels`` channels' divisors."""

    graph: Graph
    first: int
    last: int
    channels: int


def sliced_graph(rng: np.random.Generator, share: int = 2) -> Sliced:
    """A map of 3..14 rows and columns, expanded to channels that are a multiple of 2 * ``share``, swept by a window of
    1..5, and projected; the input may be added to that."""
    b = SqueezeBuilder(rng)
    narrow = int(rng.integers(3, 9))
    x = b.activation((1, *(int(n) for n in rng.integers(3, 15, 2)), narrow))
    source = x = b.conv(x, narrow, Activation.RELU6)
    first, wide = len(b.nodes), share * 2 * int(rng.integers(1, 7))
    kernel = 1 if rng.random() < 0.6 else 3
    y = b.conv(x, wide, Activation(ACTIVATIONS[int(rng.integers(2))]), kernel)
    if rng.random() < 0.3:
        _beyond_pairs(b, b.nodes[first].inputs[1])
    y = b.put(HardSwish(), y) if rng.random() < 0.3 else y
    y = _swept(b, y)
    y = b.put(HardSwish(), y) if rng.random() < 0.3 else y
    last = len(b.nodes) - 1
    same = b.tensors[y].shape[1:3] == b.tensors[x].shape[1:3]
    z = b.conv(y, narrow)
    z = b.put(Add(Activation.NONE), z, source) if same and rng.random() < 0.7 else z
    return Sliced(b.graph([z]), first, last, wide)


def _beyond_pairs(b: Builder, weights: str) -> None:
    """Makes the weights such that no two of them fit 16 bits together."""
    data = b.tensors[weights].array().copy()
    data[..., :2] = -128
    b.tensors[weights] = replace(b.tensors[weights], data=data)


def _swept(b: Builder, x: str) -> str:
    """A depthwise convolution that fits the map, or one of a single row and column."""
    rng, channels = b.rng, b.tensors[x].shape[3]
    kernel = (int(rng.integers(1, 6)), int(rng.integers(1, 6)))
    stride = int(rng.integers(1, 4)) if rng.random() < 0.4 else 1
    dilation = (1, 1) if rng.random() < 0.8 else (1, 2)
    padding = tuple(int(rng.integers(0, k)) for k in (kernel[0], kernel[0], kernel[1], kernel[1]))
    many = int(rng.choice([1, 1, 1, 2]))
    op = DepthwiseConv2D((stride, stride), dilation, padding, many, Activation.NONE)  # type: ignore[arg-type]
    made = b.apply(op, x, *b.weights((1, *kernel, channels * many), 3))
    if made is None:
        made = b.apply(
            DepthwiseConv2D(PIXEL, PIXEL, (0, 0, 0, 0), 1, Activation.NONE), x, *b.weights((1, 1, 1, channels), 3)
        )
    assert made is not None
    return made


def expanding(channels: int) -> Graph:
    """A block whose expanded map lies in memory whole, because a squeeze and its gate read it, beside its input."""
    b = SqueezeBuilder(np.random.default_rng(3))
    x = b.conv(b.activation((1, 12, 12, 4)), 8, Activation.RELU6)
    y = b.depthwise(b.conv(x, channels, Activation.RELU6), 5, 1, Activation.RELU6)
    return b.graph([b.block(x), b.gate(y, channels), y])


def sliced_schedule(rng: np.random.Generator, sliced: Sliced, share: int = 2) -> Schedule:
    """The stage in slices of a multiple of ``share`` channels, in pieces of any size, the rest layer by layer."""
    graph = sliced.graph
    height, width, _ = graph.tensors[graph.nodes[sliced.last].outputs[0]].type.hwc
    parts = [n for n in range(2, sliced.channels + 1) if sliced.channels % (n * share) == 0]
    while True:
        patch_h = int(rng.integers(1, height + 1))
        patch_w = width if rng.random() < 0.4 else int(rng.integers(1, width + 1))
        inner = [graph.nodes[i].outputs[0] for i in range(sliced.first, sliced.last)]
        modes: tuple[tuple[str, TensorMode], ...] = tuple((t, _random_mode(rng, patch_w < width)) for t in inner)
        stage = FusedStage(sliced.first, sliced.last, patch_h, patch_w, modes, slices=int(rng.choice(parts)))
        walk = walk_stage(graph, stage)
        try:
            stage_layouts(graph, walk)
        except ValueError:
            continue
        if walk.valid:
            layers = [LayerStage(i) for i in range(len(graph.nodes))]
            return Schedule((*layers[: sliced.first], stage, *layers[sliced.last + 1 :]))


def unsliced(schedule: Schedule) -> Schedule:
    """The same without slices."""
    return replace(
        schedule, stages=tuple(replace(s, slices=1) if isinstance(s, FusedStage) else s for s in schedule.stages)
    )
