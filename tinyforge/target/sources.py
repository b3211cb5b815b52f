"""Where the figures of a board file are from: `[[source]]` tables, and the check that they cover every figure.

    [[source]]
    of = ["clock_hz", "flash", "ram.ccm.dma"]
    from = "RM0090 rev 19, table 5"
    verified = true

A name in `of` stands for everything below it: `ram` for all banks, `ram.ccm` for one. The longest name that covers
a figure is its source. `verified` says that somebody compared the figure with that text; false: written from memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tinyforge.target.fields import Fields

# Keys that are choices of this project, or words for people, rather than figures of the hardware.
_NO_FIGURES = ("name", "title", "bsp", "emulator", "firmware_sram", "source", "qemu", "flashers", "flashing")


@dataclass(frozen=True, slots=True)
class Source:
    """Which figures (`of`, dotted names) are from which text, and whether they were compared with it."""

    of: tuple[str, ...]
    text: str
    verified: bool


def read_sources(table: Mapping[str, Any], fields: Fields) -> tuple[Source, ...]:
    """The `[[source]]` tables of a board file, checked: where there are any, they name existing figures and cover all.

    A board file without them is allowed (a user's own); shipped hardware boards have them.
    """
    sources = tuple(_source(entry) for entry in fields.tables("source", ()))
    if not sources:
        return ()
    figures = figure_names(table)
    for source in sources:
        for name in source.of:
            if not any(_covers(name, figure) for figure in figures):
                fields.fail("source", f"{name!r} is no figure of this file; figures: {', '.join(figures)}")
    missing = [figure for figure in figures if source_of(sources, figure) is None]
    if missing:
        fields.fail("source", f"no [[source]] says where these are from: {', '.join(missing)}")
    return sources


def _source(fields: Fields) -> Source:
    source = Source(fields.texts("of"), fields.text("from"), fields.boolean("verified"))
    if not source.of or not source.text.strip():
        fields.fail("of", "a source names at least one figure and says where it is from")
    fields.finish()
    return source


def figure_names(table: Mapping[str, Any]) -> list[str]:
    """Dotted names of all figures of a board file: `clock_hz`, `flash.size`, `ram.dtcm.origin`, ..."""
    names: list[str] = []
    for key, value in table.items():
        if key not in _NO_FIGURES:
            _collect(key, value, names)
    return names


def _collect(name: str, value: object, names: list[str]) -> None:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key != "name":
                _collect(f"{name}.{key}", inner, names)
    elif isinstance(value, list) and value and all(isinstance(entry, Mapping) for entry in value):
        for index, entry in enumerate(value):
            _collect(f"{name}.{entry.get('name', index)}", entry, names)
    else:
        names.append(name)


def _covers(name: str, figure: str) -> bool:
    return figure == name or figure.startswith(f"{name}.")


def source_of(sources: Sequence[Source], figure: str) -> Source | None:
    """The source with the longest name that covers `figure`."""
    found = [(len(name), source) for source in sources for name in source.of if _covers(name, figure)]
    return max(found, key=lambda item: item[0])[1] if found else None
