"""What `tinyforge bench` measured, as values and as a JSON file, and what got worse since another one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from tinyforge.errors import UsageError

FORMAT_VERSION = 1
TOLERANCE = 0.01  # counts are exact; a percent is what a compiler's moods may cost
COMPARED = ("instructions", "estimated_cycles", "arena_bytes", "stack_bytes", "weights_bytes", "code_bytes")
SLACK = {"stack_bytes": 64}  # a saved register more is no regression
_MAX_FILE_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Entry:
    """One model, board and compiler. ``instructions`` and ``estimated_cycles`` (of the board's core; None where its
    timing is not modelled) of one warm inference; ``model``: stem of the file; ``objective``, ``input``: as compiled;
    ``mismatches``: output values that differ from ``reference``."""

    model: str
    board: str
    core: str
    toolchain: str
    compiler: str
    objective: str
    input: str
    macs: int
    executed_macs: int
    instructions: int
    estimated_cycles: int | None
    arena_bytes: int
    stack_bytes: int
    weights_bytes: int
    code_bytes: int
    mismatches: int
    reference: str

    @property
    def key(self) -> tuple[str, ...]:
        """What makes two entries figures of the same thing."""
        return (self.model, self.board, self.toolchain, self.objective, self.input)

    @property
    def flash_bytes(self) -> int:
        """Weights, tables and code of the model."""
        return self.weights_bytes + self.code_bytes

    @property
    def per_mac(self) -> float | None:
        """Instructions for each executed multiply-accumulate; None for a model without any."""
        return self.instructions / self.executed_macs if self.executed_macs else None


@dataclass(frozen=True, slots=True)
class Record:
    """All of one measurement. ``refused``: why models, or models on boards, are not among the entries; ``failed``: what
    did not build or run though it should."""

    version: str
    entries: tuple[Entry, ...]
    refused: Mapping[str, str]
    failed: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The file's content."""
        return {
            "format": FORMAT_VERSION,
            "version": self.version,
            "entries": [asdict(entry) for entry in self.entries],
            "refused": dict(self.refused),
            "failed": dict(self.failed),
        }

    def save(self, path: Path) -> None:
        """Write the file; the same figures give the same bytes."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.as_json(), indent=1) + "\n", encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Regression:
    """A figure that grew by more than TOLERANCE, or an output that is wrong."""

    key: tuple[str, ...]
    figure: str
    before: int
    after: int

    def __str__(self) -> str:
        where = " ".join(self.key)
        if not self.before:
            return f"{where}: {self.figure} {self.before:,} -> {self.after:,}"
        return f"{where}: {self.figure} {self.before:,} -> {self.after:,} ({self.after / self.before - 1:+.1%})"


def load_record(path: Path) -> Record:
    """The record in a file. Raises UsageError for anything that `save` did not write."""
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            raise ValueError(f"larger than {_MAX_FILE_BYTES:,} B")
        value = json.loads(path.read_text(encoding="utf-8"))
        if value["format"] != FORMAT_VERSION:
            raise ValueError(f"format {value['format']}, this tinyforge reads {FORMAT_VERSION}")
        entries = tuple(_entry(item) for item in value["entries"])
        return Record(str(value["version"]), entries, _texts(value["refused"]), _texts(value["failed"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{path}: is no record of tinyforge bench: {error}; make one with --out") from error


def _texts(value: Mapping[str, Any]) -> dict[str, str]:
    return {str(name): str(text) for name, text in value.items()}


_TYPES = {"str": (str,), "int": (int,), "int | None": (int, type(None))}


def _entry(item: Mapping[str, Any]) -> Entry:
    for known in fields(Entry):
        if not isinstance(item[known.name], _TYPES[str(known.type)]):
            raise ValueError(f"{known.name} is {item[known.name]!r}")
    return Entry(**item)


def merged(records: Sequence[Record]) -> Record:
    """One record of all entries, sorted by board and model; of two of the same thing the later record's."""
    entries = {entry.key: entry for record in records for entry in record.entries}
    refused = {name: why for record in records for name, why in record.refused.items()}
    failed = {name: why for record in records for name, why in record.failed.items()}
    ordered = sorted(entries.values(), key=lambda e: (e.objective, e.input, e.board, e.model, e.toolchain))
    return Record(records[-1].version, tuple(ordered), dict(sorted(refused.items())), dict(sorted(failed.items())))


def compare(before: Record, after: Record) -> tuple[Regression, ...]:
    """What got worse in ``after``, entry by entry; entries only one of them has are not compared."""
    known = {entry.key: entry for entry in before.entries}
    pairs = [(known[entry.key], entry) for entry in after.entries if entry.key in known]
    return tuple(found for old, new in pairs for found in _worse(old, new))


def not_compared(before: Record, after: Record) -> tuple[str, ...]:
    """Entries of ``before`` that ``after`` has no figures of."""
    measured = {entry.key for entry in after.entries}
    return tuple(" ".join(entry.key) for entry in before.entries if entry.key not in measured)


def wrong(entries: Iterable[Entry]) -> tuple[Regression, ...]:
    """Entries whose outputs are not the reference's."""
    return tuple(Regression(entry.key, "mismatches", 0, entry.mismatches) for entry in entries if entry.mismatches)


def _worse(old: Entry, new: Entry) -> list[Regression]:
    found = []
    for figure in COMPARED:
        was, now = getattr(old, figure), getattr(new, figure)
        if was is not None and now is not None and now > was * (1 + TOLERANCE) + SLACK.get(figure, 0):
            found.append(Regression(new.key, figure, was, now))
    return found
