"""Recordings of sensors as ``.csv`` files of class folders."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from tinyforge.errors import UsageError
from tinyforge.ir.types import Array
from tinyforge.search.dataset import Samples
from tinyforge.search.folder_files import Files, Read, counted, pieces_of
from tinyforge.search.train import Report

TABLES = (".csv",)
WINDOW_STEPS = 128
"""Steps of a window at most, where recordings are of different lengths; windows overlap by half."""
SEPARATORS = (",", ";", "\t")


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """rows: (steps, columns) float64: times in microseconds have more digits than float32. names: of the columns, by
    number where the file has none."""

    file: Path
    names: tuple[str, ...]
    rows: Array


def read_tables(splits: Sequence[Files], tell: Report) -> Read:
    """Windows (steps, 1, columns) of recordings; windows of one file stay in one split.

    A window is as long as the recordings of the first split where all of them are equally long, else as their median,
    at most 128 steps. Shorter recordings stay at their last row to its end. A column that only rises in all
    recordings is a clock and left out. Raises UsageError.
    """
    tables: list[list[_Table]] = []
    one_more = counted(splits, tell)
    for files in splits:
        tables.append([])
        for file, _ in files:
            tables[-1].append(_table(file))
            one_more()
    whole = list(chain(*tables))
    odd = next((t for t in whole if t.rows.shape[1] != whole[0].rows.shape[1]), None)
    if odd is not None:
        columns = odd.rows.shape[1], whole[0].rows.shape[1]
        raise UsageError(f"{odd.file} has {columns[0]} columns, {whole[0].file} has {columns[1]}")
    clocks = _clocks(tables[0])
    sensors = [c for c in range(len(whole[0].names)) if c not in clocks]
    steps = _steps([len(table.rows) for table in tables[0]])
    parts = [_windows(part, files, steps, sensors) for part, files in zip(tables, splits, strict=True)]
    return Read("signal", tuple(parts), _notes(whole, steps, clocks))


def _steps(lengths: Sequence[int]) -> int:
    return lengths[0] if len(set(lengths)) == 1 else min(WINDOW_STEPS, int(np.median(lengths)))


def _windows(tables: Sequence[_Table], files: Files, steps: int, sensors: Sequence[int]) -> Samples:
    windows, numbers = [], []
    for number, table in enumerate(tables):
        rows = table.rows[:, sensors].astype(np.float32)
        rows = np.pad(rows, ((0, max(0, steps - len(rows))), (0, 0)), mode="edge")
        for start in range(0, len(rows) - steps + 1, max(1, steps // 2)):
            windows.append(rows[start : start + steps, None, :])
            numbers.append(number)
    return pieces_of(files, windows, numbers)


def _clocks(tables: Sequence[_Table]) -> list[int]:
    """Columns of times: they rise from every row to the next, in every recording. One column at least is a sensor."""
    rising = np.logical_and.reduce([(np.diff(t.rows, axis=0) > 0).all(0) for t in tables])
    longer = any(len(t.rows) > 2 for t in tables)
    return [] if rising.all() or not longer else np.flatnonzero(rising).tolist()


def _notes(tables: Sequence[_Table], steps: int, clocks: Sequence[int]) -> tuple[str, ...]:
    notes = [f"column {tables[0].names[c]} only rises: a clock, left out" for c in clocks]
    short = sum(len(table.rows) < steps for table in tables)
    if len({len(table.rows) for table in tables}) > 1:
        notes.append(f"windows of {steps} steps; {short:,} of {len(tables):,} recordings are shorter and filled up")
    return tuple(notes)


def _table(path: Path) -> _Table:
    """A first line that is not all numbers has the names."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        separator = max(SEPARATORS, key=text.partition("\n")[0].count)
        rows = [[cell.strip() for cell in row] for row in csv.reader(text.splitlines(), delimiter=separator) if row]
        named = bool(rows) and not all(map(_is_number, rows[0]))
        made = np.asarray([[float(cell) for cell in row] for row in rows[named:]])
    except (ValueError, OSError, csv.Error) as error:
        raise UsageError(f"{path} is no table of numbers: {error}") from error
    if made.ndim != 2 or not made.size or not np.isfinite(made).all():
        raise UsageError(f"{path} is no table of finite numbers with equal rows")
    names = tuple(rows[0]) if named else tuple(str(c + 1) for c in range(made.shape[1]))
    return _Table(path, names, made)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
