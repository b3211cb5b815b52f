"""One network under several families of schedules, itemised by what its peak is made of (docs/memory.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinyforge.errors import DoesNotFit
from tinyforge.ir.graph import Graph
from tinyforge.ir.memory_plan import MemoryPlan
from tinyforge.ir.program import KernelCall
from tinyforge.schedule.best import best_schedule
from tinyforge.schedule.options import Options

KINDS = ("input", "output", "activation", "line buffer", "patch", "scratch")
FAMILIES: tuple[tuple[str, Options], ...] = (
    ("layer by layer", Options(schedule="layerwise")),
    ("patches, 1.25x", Options("sram", "patch", 1.25)),
    ("whole input, 1.25x", Options("sram", "auto", 1.25)),
    ("rows, 1.00x", Options("sram", "auto", 1.0, "rows")),
    ("rows, 1.05x", Options("sram", "auto", 1.05, "rows")),
    ("rows, 1.25x", Options("sram", "auto", 1.25, "rows")),
)


@dataclass(frozen=True, slots=True)
class MemoryRow:
    """One family's answer. ``parts``: bytes of each of KINDS alive at the peak; buffers that overlap count twice there,
    in ``arena_bytes`` once."""

    family: str
    arena_bytes: int
    mac_factor: float
    estimated_cycles: int
    parts: tuple[int, ...]


def memory_table(graph: Graph, calls: Sequence[KernelCall]) -> tuple[MemoryRow, ...]:
    """A row for each of FAMILIES that the network can be run with."""
    rows = []
    for name, options in FAMILIES:
        try:
            found = best_schedule(graph, calls, None, options)
        except DoesNotFit:
            continue
        parts = parts_at_peak(found.plan)
        rows.append(MemoryRow(name, found.plan.arena_bytes, found.mac_factor, found.estimated_cycles, parts))
    return tuple(rows)


def parts_at_peak(plan: MemoryPlan) -> tuple[int, ...]:
    """Bytes alive in the peak step by kind of buffer, in the order of KINDS."""
    alive = [b for b in plan.timeline if b.first_use <= plan.peak_step <= b.last_use]
    return tuple(sum(b.nbytes for b in alive if b.kind == kind) for kind in KINDS)
