"""Benchmark results as a table for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tinyforge.cli.console import table
from tinyforge.reporting.peers import CMSIS, figures

if TYPE_CHECKING:
    from tinyforge.api.bench import BenchResult
    from tinyforge.api.tune import TuneResult
    from tinyforge.reporting.bench_record import Entry

_NUMBERS = ("instructions", "per MAC", "cycles", "CMSIS-NN", "SRAM", "flash")


def bench_view(result: BenchResult) -> list[Any]:
    """A table a board with a line a measurement, then what was not measured or not compared."""
    entries = result.record.entries
    parts: list[Any] = [_board_table([e for e in entries if e.board == board]) for board in _boards(entries)]
    notes = [f"[dim]not measured:[/] {name}: {why}" for name, why in result.record.refused.items()]
    notes += [f"[dim]not compared:[/] {name}" for name in result.missing]
    return [*parts, *notes]


def _boards(entries: Sequence[Entry]) -> list[str]:
    return list(dict.fromkeys(entry.board for entry in entries))


def _board_table(entries: Sequence[Entry]) -> Any:
    first = entries[0]
    title = f"{first.board} ({first.core}), {first.objective}, {first.input} input"
    rows = table("model", "by", *_NUMBERS, right=_NUMBERS, title=title)
    for entry in entries:
        rows.add_row(*_cells(entry))
    return rows


def _cells(entry: Entry) -> tuple[str, ...]:
    """CMSIS-NN: how many times as many instructions it executes."""
    peer = next((f.instructions for f in figures(entry.model, entry.core) if f.tool == CMSIS), None)
    return (
        entry.model.removesuffix("_int8"),
        entry.toolchain,
        f"[bold]{entry.instructions:,}[/]" if not entry.mismatches else f"[red]{entry.mismatches:,} wrong[/]",
        f"{entry.per_mac:.2f}" if entry.per_mac else "",
        f"{entry.estimated_cycles:,}" if entry.estimated_cycles is not None else "",
        f"{peer / entry.instructions:.2f}x" if peer else "",
        f"{entry.arena_bytes:,}",
        f"{entry.flash_bytes:,}",
    )


def tuned_view(result: TuneResult) -> list[Any]:
    """Every candidate that was measured, the best marked."""
    rows = table("candidate", "cost", "code", "SRAM", right=("cost", "code", "SRAM"), title="tuning")
    for trial in result.trials:
        mark = "[green]best[/] " if trial is result.best else ""
        sizes = (f"{trial.cost:,}", f"{trial.code_bytes:,}", f"{trial.arena_bytes:,}")
        rows.add_row(f"{mark}{trial.candidate}", *sizes)
    return [rows]
