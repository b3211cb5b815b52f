"""Benchmark records as Markdown: a table a board, beside the figures of other tools."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from tinyforge.reporting.bench_record import Entry, Record
from tinyforge.reporting.marked import markdown_row, rewrite_region
from tinyforge.reporting.peers import FIGURES, SOURCES, Figure, figures

BEGIN = "<!-- measured by tinyforge bench -->"
_UNITS = {"instructions": "instructions", "cycles": "cycles", "sram_bytes": "SRAM"}


def rewrite_page(path: Path, record: Record) -> None:
    """Put the tables between the markers of the page; a page that is not there is made.

    Raises UsageError for a page without markers.
    """
    rewrite_region(path, BEGIN, tables(record), "Benchmarks")


def tables(record: Record) -> str:
    """All tables, then where the figures of others come from, then what was refused."""
    parts = [_board_table(record, *key) for key in _boards(record)]
    tools = {figure.tool for entry in record.entries for figure in figures(entry.model, entry.core)}
    if tools:
        parts.append("\n".join(f"- {tool}: {SOURCES[tool]}." for tool in SOURCES if tool in tools))
    missing = {**record.refused, **{name: f"failed: {why.splitlines()[0]}" for name, why in record.failed.items()}}
    if missing:
        parts.append("Not measured:\n\n" + "\n".join(f"- {name}: {why}" for name, why in missing.items()))
    return "\n\n".join(parts)


def _boards(record: Record) -> list[tuple[str, str, str]]:
    return list(dict.fromkeys((entry.board, entry.objective, entry.input) for entry in record.entries))


def _board_table(record: Record, board: str, objective: str, mode: str) -> str:
    entries = [e for e in record.entries if (e.board, e.objective, e.input) == (board, objective, mode)]
    core = entries[0].core
    toolchains = list(dict.fromkeys(entry.toolchain for entry in entries))
    columns = _peer_columns(core, [entry.model for entry in entries])
    head = ["model", "MACs", *(f"instructions, {name}" for name in toolchains), "per MAC", "estimated cycles"]
    head += ["SRAM", "weights", "code", "stack", *(f"{tool}, {_UNITS[unit]}" for tool, unit in columns)]
    rows = [_row(list(group), toolchains, columns) for _, group in groupby(entries, key=lambda entry: entry.model)]
    title = f"### {board} ({core}), {objective}, {mode} input"
    lines = [title, "", markdown_row(head), markdown_row(["---"] * len(head)), *map(markdown_row, rows)]
    return "\n".join(lines)


def _row(entries: Sequence[Entry], toolchains: Sequence[str], columns: Sequence[tuple[str, str]]) -> list[str]:
    """One model; figures beside the instruction counts are those of the compiler with the fewest."""
    best = min(entries, key=lambda entry: entry.instructions)
    counts = {entry.toolchain: entry.instructions for entry in entries}
    cells = [best.model, _millions(best.executed_macs)]
    for name in toolchains:
        text = _millions(counts.get(name))
        cells.append(f"**{text}**" if name == best.toolchain else text)
    cells += [f"{best.per_mac:.2f}" if best.per_mac else "", _millions(best.estimated_cycles)]
    cells += [f"{n:,}" for n in (best.arena_bytes, best.weights_bytes, best.code_bytes, best.stack_bytes)]
    known = figures(best.model, best.core)
    return [*cells, *(_peer_cell(known, tool, unit) for tool, unit in columns)]


def _peer_columns(core: str, models: Sequence[str]) -> list[tuple[str, str]]:
    """(tool, unit) of every column that has a figure for one of the models."""
    shown = [figure for figure in FIGURES if figure.core == core and figure.model in models]
    pairs = [(tool, unit) for tool in SOURCES for unit in _UNITS]
    return [(t, u) for t, u in pairs if any(f.tool == t and getattr(f, u) is not None for f in shown)]


def _peer_cell(known: Sequence[Figure], tool: str, unit: str) -> str:
    value = next((getattr(figure, unit) for figure in known if figure.tool == tool), None)
    if value is None:
        return ""
    return f"{value:,}" if unit == "sram_bytes" else _millions(value)


def _millions(value: int | None) -> str:
    if value is None:
        return ""
    return f"{value / 1e6:.3f} M" if value < 10_000_000 else f"{value / 1e6:.1f} M"
