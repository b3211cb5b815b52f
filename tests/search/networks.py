"""Hypothesis draws small networks with schedules: what ``random_graphs`` makes from a generator, from choices it can
shrink. Chains, residuals, strided shortcuts, branches, strides 1-4, dilations, pools, odd sizes, maps smaller than
kernels; stages, bands, chunks, modes, row-fed inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import reject
from hypothesis import strategies as st

from tests.search.movement_graphs import concatenate, move, pad, resize
from tests.search.random_graphs import (
    Builder,
    _depthwise,
    _global_pool,
    _pointwise,
    _pool,
    _residual,
    random_schedule,
)
from tinyforge.codegen.generate import lower_graph
from tinyforge.errors import TinyforgeError
from tinyforge.ir.graph import Graph
from tinyforge.ir.memory_plan import MemoryPlan
from tinyforge.ir.program import Isa, KernelCall
from tinyforge.ir.schedule import Schedule
from tinyforge.ir.types import Array
from tinyforge.memory.plan import plan_memory
from tinyforge.ops.add import Add
from tinyforge.ops.base import Activation
from tinyforge.ops.concatenation import Concatenation
from tinyforge.ops.conv2d import Conv2D
from tinyforge.ops.max_pool2d import MaxPool2D
from tinyforge.schedule.kernels import fitted

LARGEST, MOST_NODES = 16, 10
NONE = Activation.NONE


class Drawn:
    """Draws structure (single numbers) from hypothesis, bulk data from a generator with a drawn seed; what ``Builder``
    and ``random_schedule`` ask of a numpy generator."""

    def __init__(self, draw: Callable[[Any], Any]) -> None:
        self.draw = draw
        self.bulk = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def integers(self, low: int, high: int | None = None, size: Any = None) -> Any:
        low, high = (low, high) if high is not None else (0, low)
        if isinstance(size, tuple):
            return self.bulk.integers(low, high, size)
        if size is not None:
            return np.array([self.draw(st.integers(low, high - 1)) for _ in range(size)])
        return self.draw(st.integers(low, high - 1))

    def random(self) -> float:
        return float(self.draw(st.integers(0, 99))) / 100

    def choice(self, values: Sequence[Any]) -> Any:
        return self.draw(st.sampled_from(list(values)))

    def uniform(self, low: float, high: float, size: Any = None) -> Any:
        return self.bulk.uniform(low, high, size)


@dataclass(frozen=True, eq=False)
class Example:
    """A network, its schedule and plan, and an input."""

    graph: Graph
    schedule: Schedule
    plan: MemoryPlan
    calls: tuple[KernelCall, ...]
    data: Array


def _convolution(b: Builder, x: str) -> str | None:
    """Any kernel, stride and dilation on both axes."""
    kernel = tuple(int(k) for k in b.rng.integers(1, 6, 2))
    stride = tuple(int(s) for s in b.rng.integers(1, 5, 2)) if b.rng.random() < 0.4 else (1, 1)
    dilation = tuple(int(d) for d in b.rng.integers(1, 4, 2)) if b.rng.random() < 0.3 else (1, 1)
    padding = tuple(int(b.rng.integers(0, k)) for k in (kernel[0], kernel[0], kernel[1], kernel[1]))
    weights = b.weights((int(b.rng.integers(1, 7)), *kernel, b.tensors[x].shape[3]), 0)
    return b.apply(Conv2D(stride, dilation, padding, NONE), x, *weights)  # type: ignore[arg-type]


def _shortcut(b: Builder, x: str) -> str | None:
    """A residual block over a stride, with a convolution of one pixel beside it."""
    channels, stride = int(b.rng.integers(1, 6)), int(b.rng.integers(1, 4))
    pads: list[int] = []
    for size in b.tensors[x].type.hwc[:2]:
        total = max((-(-size // stride) - 1) * stride + 3 - size, 0)
        pads += [total // 2, total - total // 2]
    c = b.tensors[x].shape[3]
    main = Conv2D((stride, stride), (1, 1), (pads[0], pads[1], pads[2], pads[3]), Activation.RELU)
    beside = Conv2D((stride, stride), (1, 1), (0, 0, 0, 0), NONE)
    y = b.apply(main, x, *b.weights((channels, 3, 3, c), 0))
    if y is not None and b.rng.random() < 0.5:
        y = b.apply(Conv2D((1, 1), (1, 1), (1, 1, 1, 1), NONE), y, *b.weights((channels, 3, 3, channels), 0))
    z = b.apply(beside, x, *b.weights((channels, 1, 1, c), 0))
    return b.apply(Add(NONE), y, z) if y is not None and z is not None else None


def _expanded(b: Builder, x: str) -> str | None:
    """An expansion to channels that can be sliced, and a window over each of them."""
    channels = 4 * int(b.rng.integers(1, 4))
    y = b.apply(Conv2D((1, 1), (1, 1), (0, 0, 0, 0), NONE), x, *b.weights((channels, 1, 1, b.tensors[x].shape[3]), 0))
    return None if y is None else _depthwise(b, y)


def _branches(b: Builder, x: str) -> str | None:
    """Two or three branches of different reach, joined."""
    made = [_pointwise(b, x)]
    kernel = int(b.rng.integers(1, 3)) * 2 + 1
    half = kernel // 2
    same = (half, half, half, half)
    weights = b.weights((int(b.rng.integers(1, 5)), kernel, kernel, b.tensors[x].shape[3]), 0)
    made.append(b.apply(Conv2D((1, 1), (1, 1), same, NONE), x, *weights))
    if b.rng.random() < 0.5:
        made.append(move(b, MaxPool2D((kernel, kernel), (1, 1), same, NONE), x))
    operands = [t for t in made if t is not None]
    return move(b, Concatenation(3), *operands) if len(operands) == len(made) else None


MAKERS: tuple[Callable[[Builder, str], str | None], ...] = (
    _pointwise,
    _convolution,
    _depthwise,
    _pool,
    _residual,
    _shortcut,
    _branches,
    _expanded,
    concatenate,
    pad,
    resize,
)


def _network(rng: Drawn) -> Graph:
    b = Builder(rng)  # type: ignore[arg-type]
    height, width = (int(s) for s in rng.integers(1, LARGEST + 1, 2))
    x = b.activation((1, height, width, int(rng.integers(1, 5))))
    wanted = int(rng.integers(1, MOST_NODES))
    for _ in range(2 * MOST_NODES):
        if len(b.nodes) >= wanted:
            break
        kept = len(b.nodes), dict(b.tensors)
        made = rng.choice(MAKERS)(b, x)
        if made is None or max(b.tensors[made].type.hwc[:2]) > LARGEST + 4:
            del b.nodes[kept[0] :]
            b.tensors = kept[1]
        else:
            x = made
    if not b.nodes:
        x = _pointwise(b, x) or x
    outputs = [x]
    if rng.random() < 0.2:
        outputs.insert(0, b.nodes[len(b.nodes) // 2].outputs[0])
    if rng.random() < 0.3:
        outputs[-1] = _global_pool(b, x) or x
    return b.graph(list(dict.fromkeys(outputs)))


def plan_for(graph: Graph, schedule: Schedule, isa: Isa) -> tuple[MemoryPlan, tuple[KernelCall, ...]]:
    """Kernel calls for ``isa`` and where they find their buffers."""
    calls = fitted(graph, schedule, lower_graph(graph, isa))
    return plan_memory(graph, schedule, calls, effort=100, moves=True), calls


@st.composite
def examples(draw: Any) -> Example:
    """A network that the compiler takes, with a schedule that the graph allows."""
    rng = Drawn(draw)
    graph = _network(rng)
    try:
        for node in graph.nodes:
            node.op.check(graph.ins(node), graph.outs(node))  # type: ignore[attr-defined]
    except TinyforgeError:
        reject()
    schedule = random_schedule(rng, graph)  # type: ignore[arg-type]
    plan, calls = plan_for(graph, schedule, Isa.PORTABLE)
    data = rng.bulk.integers(-128, 128, graph.tensors["t0"].shape).astype(np.int8)
    return Example(graph, schedule, plan, calls, data)
