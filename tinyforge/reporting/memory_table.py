"""What `tinyforge bench memory` found, as values, as JSON and as the tables of docs/memory.md."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tinyforge.errors import UsageError
from tinyforge.reporting.marked import markdown_row, rewrite_region
from tinyforge.schedule.compare import KINDS

BEGIN = "<!-- measured by tinyforge bench memory -->"
HEADS = ("arena", "MACs", *(f"{kind}s" if kind in ("activation", "accumulator") else kind for kind in KINDS), "shared")
"""Columns of the itemised table; ``shared`` is what makes a row add up to its arena."""
LAYERS = "layer by layer"
LEAST = ("rows, 1.05x", "whole input, 1.25x")
_NONE = "none within the limits"


@dataclass(frozen=True, slots=True)
class Run:
    """One sample on an emulated core. Bytes of arena and stack: highest touched, found by painting."""

    linked_bytes: int
    high_water_bytes: int
    stack_bytes: int
    instructions: int
    mismatches: int


@dataclass(frozen=True, slots=True)
class MemoryRow:
    """One family's answer. ``mac_factor``: executed MACs over those of the compiled network, each operator once.
    ``parts``: bytes of each of KINDS alive in the peak step; buffers that overlap count for
    each, in ``arena_bytes`` once. ``run``: None where it is only planned."""

    family: str
    arena_bytes: int
    mac_factor: float
    estimated_cycles: int | None
    parts: tuple[int, ...]
    run: Run | None = None

    @property
    def shared(self) -> int:
        """What the parts exceed the arena by, negative: buffers that overlap; positive: bytes free in that step."""
        return self.arena_bytes - sum(self.parts)

    @property
    def state(self) -> str:
        """``measured`` where bytes planned, linked and touched are the same and outputs are exact."""
        if self.run is None:
            return "planned"
        if self.run.mismatches:
            return f"{self.run.mismatches:,} outputs wrong"
        agree = self.run.linked_bytes == self.run.high_water_bytes == self.arena_bytes
        return "measured" if agree else f"linked {self.run.linked_bytes:,}, touched {self.run.high_water_bytes:,}"

    def as_json(self) -> dict[str, Any]:
        return {
            "family": self.family,
            "state": self.state,
            "arena_bytes": self.arena_bytes,
            "mac_factor": round(self.mac_factor, 6),
            "estimated_cycles": self.estimated_cycles,
            "at_peak": {**dict(zip(KINDS, self.parts, strict=True)), "shared": self.shared},
            **({"run": asdict(self.run)} if self.run else {}),
        }


@dataclass(frozen=True, slots=True)
class OtherTool:
    """What another tool needs by a figure of its own (``reporting.peers``), which is not itemised."""

    tool: str
    sram_bytes: int
    source: str


@dataclass(frozen=True, slots=True)
class ModelMemory:
    """All rows of one model file; ``refused``: families without a schedule for it, and why."""

    model: str
    rows: tuple[MemoryRow, ...]
    refused: dict[str, str]
    others: tuple[OtherTool, ...]

    def row(self, family: str) -> MemoryRow | None:
        """The row of a family, None where it was refused."""
        return next((row for row in self.rows if row.family == family), None)

    def as_json(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "rows": [row.as_json() for row in self.rows],
            "refused": dict(self.refused),
            "published": [asdict(other) for other in self.others],
        }


def read_record(path: Path) -> tuple[str, tuple[ModelMemory, ...]]:
    """Board and models of a file that ``bench memory --out`` wrote. Raises UsageError for any other."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return str(record["board"]), tuple(_model(model) for model in record["models"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} is no record of tinyforge bench memory ({error!r}); write one with --out") from error


def _model(data: dict[str, Any]) -> ModelMemory:
    others = tuple(OtherTool(**other) for other in data["published"])
    return ModelMemory(data["model"], tuple(_row(row) for row in data["rows"]), dict(data["refused"]), others)


def _row(data: dict[str, Any]) -> MemoryRow:
    parts = tuple(int(data["at_peak"][kind]) for kind in KINDS)
    ran = Run(**data["run"]) if "run" in data else None
    return MemoryRow(
        data["family"], int(data["arena_bytes"]), float(data["mac_factor"]), data["estimated_cycles"], parts, ran
    )


def cells(row: MemoryRow) -> list[str]:
    """The figures under HEADS."""
    parts = (f"{n:,}" if n else "" for n in (*row.parts, row.shared))
    return [f"{row.arena_bytes:,}", f"{row.mac_factor:.3f}", *parts]


def run_cells(row: MemoryRow, layers: MemoryRow | None) -> list[str]:
    """Stack, instructions over those of layer by layer, and how far the row was checked."""
    base = layers.run.instructions if layers and layers.run else 0
    speed = f"{row.run.instructions / base:.3f}" if row.run and base else ""
    return [f"{row.run.stack_bytes:,}" if row.run else "", speed, row.state]


def rewrite_memory_page(path: Path, models: Sequence[ModelMemory], board: str) -> None:
    """Put both tables between the markers of the page; a page that is not there is made. Raises UsageError."""
    text = f"{_least(models, board)}\n\n{_families(models)}\n\n{_sources(models)}"
    rewrite_region(path, BEGIN, text, "Memory")


def _least(models: Sequence[ModelMemory], board: str) -> str:
    """The least SRAM of each model, and what it costs."""
    head = ["model", LAYERS, "rows, 1.05x: bytes", "MACs", "instructions", "whole input, 1.25x: bytes", "MACs"]
    head += ["instructions"]
    lines = [f"Board {board}; instructions over those of layer by layer.", "", *_table_head(head)]
    for model in models:
        layers = model.row(LAYERS)
        found = [_short_name(model.model), f"{layers.arena_bytes:,}" if layers else ""]
        for family in LEAST:
            row = model.row(family)
            figures = [f"{row.arena_bytes:,}", f"{row.mac_factor:.3f}", run_cells(row, layers)[1]] if row else [""] * 3
            found += figures
        lines.append(markdown_row(found))
    return "\n".join(lines)


def _families(models: Sequence[ModelMemory]) -> str:
    head = ["model", "schedule", *HEADS, "stack", "instructions", ""]
    lines = _table_head(head)
    for model in models:
        name = _short_name(model.model)
        for other in model.others:
            lines.append(
                markdown_row([name, f"*{other.tool}*", f"{other.sram_bytes:,}", *[""] * (len(head) - 4), "own figure"])
            )
        for row in model.rows:
            lines.append(markdown_row([name, row.family, *cells(row), *run_cells(row, model.row(LAYERS))]))
        for family in model.refused:
            lines.append(markdown_row([name, family, *[""] * (len(head) - 3), _NONE]))
    return "\n".join(lines)


def _sources(models: Sequence[ModelMemory]) -> str:
    known = {other.tool: other.source for model in models for other in model.others}
    return "\n".join(f"- *{tool}*: {source}." for tool, source in known.items())


def _table_head(head: list[str]) -> list[str]:
    return [markdown_row(head), markdown_row(["---"] * len(head))]


def _short_name(model: str) -> str:
    return model.removesuffix(".tflite").removesuffix("_int8")
