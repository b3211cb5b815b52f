"""``tinyforge.bench_memory``: one network under several families of schedules, under one definition of memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tinyforge.api.network import read_network
from tinyforge.api.progress import Progress, quiet
from tinyforge.api.settings import existing_file
from tinyforge.codegen.generate import lower_graph
from tinyforge.reporting.peers import FIGURES, SOURCES
from tinyforge.schedule.compare import KINDS, MemoryRow, memory_table


@dataclass(frozen=True, slots=True)
class Published:
    """What another tool needs by its own account (`reporting.peers`), which is not itemised."""

    tool: str
    sram_bytes: int
    source: str


@dataclass(frozen=True, slots=True)
class ModelMemory:
    """All rows of one model file, and what is published of other tools on it."""

    model: str
    rows: tuple[MemoryRow, ...]
    published: tuple[Published, ...]


@dataclass(frozen=True, slots=True)
class MemoryBench:
    """Models in the order they were given."""

    models: tuple[ModelMemory, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "models": [
                {
                    "model": m.model,
                    "rows": [_row_json(row) for row in m.rows],
                    "published": [asdict(other) for other in m.published],
                }
                for m in self.models
            ]
        }


def _row_json(row: MemoryRow) -> dict[str, Any]:
    return {
        "family": row.family,
        "arena_bytes": row.arena_bytes,
        "mac_factor": round(row.mac_factor, 6),
        "estimated_cycles": row.estimated_cycles,
        "at_peak": dict(zip(KINDS, row.parts, strict=True)),
    }


def bench_memory(models: Sequence[str | Path], *, progress: Progress = quiet) -> MemoryBench:
    """Schedule every ``.tflite`` file of ``models`` under each family. Raises ModelError, UsageError."""
    found = []
    for done, model in enumerate(models):
        path = existing_file(model)
        progress(path.name, done, len(models))
        graph = read_network(path, "int8").graph
        found.append(ModelMemory(path.name, memory_table(graph, lower_graph(graph)), _published(path.stem)))
    return MemoryBench(tuple(found))


def _published(model: str) -> tuple[Published, ...]:
    known = {f.tool: f.sram_bytes for f in FIGURES if f.model == model and f.sram_bytes is not None}
    return tuple(Published(tool, nbytes, SOURCES[tool]) for tool, nbytes in known.items())
