"""What commands print: JSON or tables on stdout, progress on stderr."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tinyforge.api.progress import Progress

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

# Work shorter than this shows nothing where stderr is no terminal.
_PATIENCE_S = 2.0


def print_json(value: Mapping[str, Any]) -> None:
    """The one object a ``--json`` command writes."""
    print(json.dumps(value, indent=1))


def show(*parts: RenderableType) -> None:
    """Tables and text for people, on stdout."""
    out = console()
    for part in parts:
        out.print(part)


def console() -> Console:
    """stdout; 100 columns where it is no terminal."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 100, highlight=False)


def table(*columns: str, right: tuple[str, ...] = (), title: str | None = None) -> Table:
    """A plain table; columns named in ``right`` hold numbers."""
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", title_style="bold", pad_edge=False)
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return made


def roughly(number: float) -> str:
    """A count to two figures: ``440,000``, or ``1.1e14`` from a thousand million on."""
    if number < 1e9:
        return f"{float(f'{number:.2g}'):,.0f}"
    mantissa, power = f"{number:.1e}".split("e")
    return f"{mantissa}e{int(power)}"


def facts(rows: Mapping[str, str]) -> Table:
    """Names and values in two columns."""
    from rich.table import Table

    made = Table.grid(padding=(0, 3))
    made.add_column(style="dim")
    made.add_column()
    for name, value in rows.items():
        made.add_row(name, value)
    return made


@contextmanager
def progress(timed: bool = False) -> Iterator[Progress]:
    """A Progress on stderr: a live line on a terminal, else one line for each thing that starts after two seconds.

    ``timed``: the live line also says how long what is being done will still take.
    """
    if sys.stderr.isatty():
        with _live(timed) as live:
            yield live
    else:
        yield _Lines()


class _Lines:
    def __init__(self) -> None:
        self.start = time.monotonic()
        self.last = ""

    def __call__(self, what: str, done: int = 0, total: int = 0) -> None:
        if what != self.last and time.monotonic() - self.start > _PATIENCE_S:
            print(f"{what} ...", file=sys.stderr, flush=True)
            self.last = what


@contextmanager
def _live(timed: bool) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bars

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(24), MofNCompleteColumn())
    times = (TimeElapsedColumn(), *([TextColumn("left"), TimeRemainingColumn()] if timed else []))
    with Bars(*columns, *times, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("starting", total=None)

        last = ""

        def update(what: str, done: int = 0, total: int = 0) -> None:
            nonlocal last
            if timed and what != last:
                # Speed is that of the work at hand.
                bars.reset(task)
            last = what
            bars.update(task, description=what, completed=done, total=total or None)

        yield update
