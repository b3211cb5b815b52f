"""What the optimiser is asked, and what it answers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from tinyforge.errors import UsageError
from tinyforge.ir.graph import Graph
from tinyforge.ir.memory_plan import MemoryPlan
from tinyforge.ir.program import KernelCall
from tinyforge.ir.schedule import Schedule

OBJECTIVES = ("balanced", "sram", "latency")
SCHEDULES = ("auto", "layerwise", "patch", "stream", "msf")
WHOLE_ONLY = ("layerwise", "patch")
"""Families whose input lies in memory whole."""
INPUTS = ("whole", "rows")
LEVELS = ("full", "fast")
DEFAULT_SRAM_MAC_FACTOR = 1.10
DEFAULT_FED_CYCLE_FACTOR = 1.30


@dataclass(frozen=True, slots=True)
class Options:
    """What to look for.

    objective: ``balanced`` and ``latency``: fewest estimated cycles that fit, of those the smallest; ``sram``: least
    SRAM with at most ``max_mac_factor`` times the network's own MACs (default 1.10). schedule: the family. Without a
    factor the first two objectives have no limit. input: ``rows`` feeds the input row by row. level: ``fast`` takes
    milliseconds and estimates (``schedule.fast``). max_cycle_factor: for ``sram``, estimated cycles over those of layer
    by layer, at most, where any schedule can keep it (default: 1.30 where the input is fed, no limit else). simd: the
    core multiplies two lanes at once; without, kernels of narrow scratch are slow and left out.
    """

    objective: str = "balanced"
    schedule: str = "auto"
    max_mac_factor: float | None = None
    input: str = "whole"
    level: str = "full"
    max_cycle_factor: float | None = None
    simd: bool = True

    def __post_init__(self) -> None:
        for what, value, choices in (
            ("objective", self.objective, OBJECTIVES),
            ("schedule", self.schedule, SCHEDULES),
            ("input", self.input, INPUTS),
            ("level", self.level, LEVELS),
        ):
            if value not in choices:
                raise UsageError(f"{what} {value!r} is unknown; choose one of {', '.join(choices)}")
        if self.max_mac_factor is not None and not 1.0 <= self.max_mac_factor < math.inf:
            raise UsageError(f"a MAC factor of {self.max_mac_factor} makes no sense; give 1.0 or more")
        if self.max_cycle_factor is not None and not 1.0 <= self.max_cycle_factor < math.inf:
            raise UsageError(f"a cycle factor of {self.max_cycle_factor} makes no sense; give 1.0 or more")
        if self.input == "rows" and self.schedule in WHOLE_ONLY:
            raise UsageError(f"a row-fed input needs --schedule auto, stream or msf, not {self.schedule}")

    @property
    def factor(self) -> float:
        if self.max_mac_factor is not None:
            return self.max_mac_factor
        return DEFAULT_SRAM_MAC_FACTOR if self.objective == "sram" else math.inf

    @property
    def cycle_factor(self) -> float:
        if self.max_cycle_factor is not None:
            return self.max_cycle_factor
        by_default = self.objective == "sram" and self.input == "rows" and self.schedule == "auto"
        return DEFAULT_FED_CYCLE_FACTOR if by_default else math.inf


@dataclass(frozen=True, slots=True)
class StageCost:
    """One stage of the answer: bytes alive in it (estimated), MACs it executes and needs, estimated cycles."""

    first: int
    last: int
    nbytes: int
    macs: int
    own_macs: int
    cycles: int


@dataclass(frozen=True, slots=True, eq=False)
class Planned:
    """A plan and the kernel calls it is made for."""

    plan: MemoryPlan
    calls: tuple[KernelCall, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ScheduleResult:
    """A schedule with its memory plan and cost.

    graph: the network the schedule is for: the one given, with some nodes repeated where that saves memory.
    arena_bytes: what the plan needs; by the fast level an estimate. family: what was searched. lower_bound: bytes
    below which no schedule of the family comes within the limits, by the closed forms of stage costs; proven_optimal:
    the plan reaches it and nothing was left out. considered: stages (or schedules) looked at. layerwise_bytes: what
    layer by layer would need. estimated_cycles: for comparing schedules.
    explanation: why this one. stages: costs of the stages in order. planned: gives plan and calls; the fast level works
    them out when they are first asked for.
    """

    graph: Graph
    schedule: Schedule
    planned: Callable[[], Planned]
    arena_bytes: int
    macs: int
    executed_macs: int
    family: str
    proven_optimal: bool
    lower_bound: int
    considered: int
    layerwise_bytes: int
    explanation: tuple[str, ...]
    estimated_cycles: int = 0
    stages: tuple[StageCost, ...] = ()

    @property
    def plan(self) -> MemoryPlan:
        """Where everything lies in the arena."""
        return self.planned().plan

    @property
    def calls(self) -> tuple[KernelCall, ...]:
        """The kernel calls the plan is made for, some with less scratch than those given."""
        return self.planned().calls

    @property
    def mac_factor(self) -> float:
        return self.executed_macs / self.macs if self.macs else 1.0
