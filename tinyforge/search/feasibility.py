"""What a candidate costs on the board, and which limits it breaks: the compiler's own figures, before any training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tinyforge.errors import DoesNotFit, UsageError
from tinyforge.ir.graph import Graph, Tensor
from tinyforge.ir.program import KernelCall
from tinyforge.ops.base import Op
from tinyforge.schedule.best import best_schedule
from tinyforge.schedule.estimate import Costs, plan_cycles
from tinyforge.schedule.fast import estimate
from tinyforge.schedule.options import Options, ScheduleResult
from tinyforge.schedule.shape import LayerShape, NetworkShape
from tinyforge.search.architecture import Architecture
from tinyforge.search.light_graph import light_graph

COSTS = ("arena_bytes", "flash_bytes", "executed_macs", "estimated_cycles")
_SHAPE_KINDS = {
    "conv": "conv2d",
    "depthwise": "depthwise_conv2d",
    "dense": "fully_connected",
    "add": "add",
    "mul": "mul",
    "mean": "mean",
    "max": "max_pool2d",
    "average": "average_pool2d",
}
MOST_CALLS = 20_000
"""Kernel calls that are remembered."""
CHANNEL_BYTES = 12
CODE_BYTES = 3000
CODE_BYTES_A_LAYER = 900
"""Machine code of a model: a fixed part and one an operator. Measured on searched networks, see docs/search.md; the
finalists are compiled, and what the linker says then counts."""
CYCLES_AN_INSTRUCTION = {"cortex-m4": 1.52, "cortex-m7": 1.01}
"""Of convolutional networks, by docs/benchmarks.md; of other cores no cycles are known, and instructions count."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a network takes on the board under its best schedule. ``mac_factor``: executed over necessary MACs."""

    arena_bytes: int
    flash_bytes: int
    executed_macs: int
    estimated_cycles: int
    mac_factor: float

    def as_json(self) -> dict[str, float]:
        return {name: getattr(self, name) for name in (*COSTS, "mac_factor")}


@dataclass(frozen=True, slots=True)
class BoardLimits:
    """The most of each cost; None for no limit. schedule, input, max_mac_factor: as for ``compile``.

    count_input: whether the buffer of an input that is given whole counts as arena. core: whose cycles are meant.
    """

    arena_bytes: int
    flash_bytes: int
    executed_macs: int | None = None
    estimated_cycles: int | None = None
    schedule: str = "auto"
    input: str = "whole"
    max_mac_factor: float | None = None
    count_input: bool = True
    core: str = ""

    def cycles(self, instructions: float) -> int:
        """Cycles of the core, from the scheduler's estimate of instructions."""
        return round(instructions * CYCLES_AN_INSTRUCTION.get(self.core, 1.0))

    @property
    def limits(self) -> dict[str, int]:
        """Cost name -> limit, where there is one."""
        found = {name: getattr(self, name) for name in COSTS}
        return {name: limit for name, limit in found.items() if limit is not None}


def weight_bytes(calls: Sequence[KernelCall]) -> int:
    """Bytes of all constant tables as the C code has them."""
    return sum(table.nbytes for call in calls for table in call.tables)


def estimated_weight_bytes(architecture: Architecture) -> int:
    """Bytes of the tables before they are made: kernels, and bias, multiplier and shift of every channel."""
    total = 0
    for layer in architecture.layers:
        shape = architecture.weight_shape(layer)
        if shape:
            total += math.prod(shape) + CHANNEL_BYTES * layer.shape[2]
    return total


def code_bytes(architecture: Architecture) -> int:
    """Machine code, estimated by the number of layers."""
    return CODE_BYTES + CODE_BYTES_A_LAYER * len(architecture.layers)


def network_shape(architecture: Architecture) -> NetworkShape:
    """``architecture`` as the scheduler's fast level takes it."""
    index = {"input": -1}
    layers: list[LayerShape] = []
    vectors: set[str] = set()
    for layer in architecture.layers:
        inputs = tuple(index[name] for name in layer.inputs)
        kind = _SHAPE_KINDS[layer.kind]
        if layer.kind == "mean":
            vectors.add(layer.name)
        elif layer.kind == "conv" and layer.inputs[0] in vectors:
            # A 1x1 convolution of one pixel, as in squeeze-and-excite.
            kind = "fully_connected"
            vectors.add(layer.name)
        channels = layer.shape[2] if kind in ("conv2d", "fully_connected") else 0
        padding = "valid" if kind.endswith("pool2d") else "same"
        layers.append(LayerShape(kind, inputs, channels, layer.kernel, layer.stride, padding))
        if layer.activation == "sigmoid":
            layers.append(LayerShape("logistic", (len(layers) - 1,)))
        index[layer.name] = len(layers) - 1
    return NetworkShape(architecture.input_shape, tuple(layers))


def quick_cost(architecture: Architecture, limits: BoardLimits) -> Cost:
    """What the scheduler's fast level says: milliseconds, close to what ``cost_of`` says. For ``auto`` schedules."""
    options = Options("balanced", "auto", limits.max_mac_factor, limits.input)
    found = estimate(network_shape(architecture), options, limits.arena_bytes)
    flash = estimated_weight_bytes(architecture) + code_bytes(architecture)
    factor = found.executed_macs / max(found.macs, 1)
    cycles = limits.cycles(found.estimated_cycles)
    return Cost(found.arena_bytes, flash, found.executed_macs, cycles, round(factor, 4))


def first_cost(architecture: Architecture, limits: BoardLimits) -> Cost:
    """The fast level's cost where it knows the schedules that are asked for, else that of an exact plan."""
    exact = limits.schedule != "auto" or not limits.count_input
    return cost_of(architecture, limits) if exact else quick_cost(architecture, limits)


def cost_of(architecture: Architecture, limits: BoardLimits) -> Cost:
    """The cost under the fastest schedule that keeps the arena limit, planned exactly; where none does, under the
    smallest one."""
    graph = light_graph(architecture)
    calls = light_calls(graph)
    found = _schedule(graph, calls, limits)
    arena = found.plan.arena_bytes if limits.count_input else found.plan.arena_bytes_without_input
    instructions = sum(plan_cycles(Costs(found.graph), found.schedule, found.plan, found.calls))
    own = [call for node, call in zip(found.graph.nodes, found.calls, strict=True) if not node.repeats]
    return Cost(
        arena_bytes=arena,
        flash_bytes=weight_bytes(own) + code_bytes(architecture),
        executed_macs=found.executed_macs,
        estimated_cycles=limits.cycles(instructions),
        mac_factor=round(found.mac_factor, 4),
    )


def light_calls(graph: Graph) -> tuple[KernelCall, ...]:
    """One kernel call a node; those of equal operators on equal types are made once, whoever asks."""
    return tuple(_call(node.op, graph.ins(node), graph.outs(node)) for node in graph.nodes)


_CALLS: dict[object, KernelCall] = {}


def _call(op: object, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> KernelCall:
    assert isinstance(op, Op)
    key = (op, tuple(t.type for t in ins), tuple(t.type for t in outs))
    if key not in _CALLS:
        if len(_CALLS) >= MOST_CALLS:
            _CALLS.clear()
        _CALLS[key] = op.lower(ins, outs)
    return _CALLS[key]


def _schedule(graph: Graph, calls: Sequence[KernelCall], limits: BoardLimits) -> ScheduleResult:
    options = Options("balanced", limits.schedule, limits.max_mac_factor, limits.input, "fast")
    try:
        return best_schedule(graph, calls, limits.arena_bytes, options)
    except DoesNotFit:
        smallest = Options("sram", limits.schedule, limits.max_mac_factor, limits.input, "fast")
        return best_schedule(graph, calls, None, smallest)


def violations(cost: Cost, limits: BoardLimits) -> dict[str, float]:
    """Limits that are broken -> by how much, as a part of the limit (0.25: a quarter too much)."""
    over = {name: getattr(cost, name) / limit - 1 for name, limit in limits.limits.items()}
    return {name: round(value, 6) for name, value in over.items() if value > 0}


def describe(broken: Mapping[str, float]) -> str:
    """``arena_bytes +25 %, flash_bytes +3 %``; empty where nothing is broken."""
    return ", ".join(f"{name} +{value:.0%}" for name, value in broken.items())


def check_objectives(names: Sequence[str]) -> tuple[str, ...]:
    """Costs to make small beside accuracy. Raises UsageError for an unknown or repeated one."""
    for name in names:
        if name not in COSTS:
            raise UsageError(f"{name!r} is no cost; choose from {', '.join(COSTS)}")
    if len(set(names)) != len(names):
        raise UsageError(f"a cost is named twice: {', '.join(names)}")
    return tuple(names)
