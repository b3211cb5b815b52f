"""What a candidate costs on the board, and which limits it breaks: the compiler's own figures, before any training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tinyforge.codegen.generate import lower_graph
from tinyforge.errors import DoesNotFit, UsageError
from tinyforge.ir.program import KernelCall
from tinyforge.schedule.optimise import optimise
from tinyforge.schedule.options import Options, ScheduleResult
from tinyforge.search.architecture import Architecture
from tinyforge.search.light_graph import light_graph

COSTS = ("arena_bytes", "flash_bytes", "executed_macs", "estimated_cycles")
CODE_BYTES = 2600
CODE_BYTES_A_LAYER = 260
"""Machine code of a model: a fixed part and one an operator. Measured on searched networks, see docs/search.md; the
finalists are compiled, and what the linker says then counts."""


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

    count_input: whether the buffer of an input that is given whole counts as arena.
    """

    arena_bytes: int
    flash_bytes: int
    executed_macs: int | None = None
    estimated_cycles: int | None = None
    schedule: str = "auto"
    input: str = "whole"
    max_mac_factor: float | None = None
    count_input: bool = True

    @property
    def limits(self) -> dict[str, int]:
        """Cost name -> limit, where there is one."""
        found = {name: getattr(self, name) for name in COSTS}
        return {name: limit for name, limit in found.items() if limit is not None}


def weight_bytes(calls: Sequence[KernelCall]) -> int:
    """Bytes of all constant tables."""
    return sum(int(table.data.nbytes) for call in calls for table in call.tables)


def cost_of(architecture: Architecture, limits: BoardLimits) -> Cost:
    """The cost under the fastest schedule that keeps the arena limit; where none does, under the smallest one."""
    graph = light_graph(architecture)
    calls = lower_graph(graph)
    found = _schedule(graph, calls, limits)
    code = CODE_BYTES + CODE_BYTES_A_LAYER * len(graph.nodes)
    arena = found.plan.arena_bytes if limits.count_input else found.plan.arena_bytes_without_input
    return Cost(
        arena_bytes=arena,
        flash_bytes=weight_bytes(found.calls or calls) + code,
        executed_macs=found.executed_macs,
        estimated_cycles=found.estimated_cycles,
        mac_factor=round(found.mac_factor, 4),
    )


def _schedule(graph: object, calls: Sequence[KernelCall], limits: BoardLimits) -> ScheduleResult:
    from tinyforge.ir.graph import Graph

    assert isinstance(graph, Graph)
    options = Options("balanced", limits.schedule, limits.max_mac_factor, limits.input, "fast")
    try:
        return optimise(graph, calls, limits.arena_bytes, options)
    except DoesNotFit:
        smallest = Options("sram", limits.schedule, limits.max_mac_factor, limits.input, "fast")
        return optimise(graph, calls, None, smallest)


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
