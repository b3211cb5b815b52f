"""A study as one self-contained HTML page: accuracy against costs, the points, what to do next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tinyforge import __version__
from tinyforge.paths import templates_dir
from tinyforge.search.trial import Trial

WIDTH, HEIGHT = 480, 300
LEFT, TOP, FOOT = 48, 10, 40
PLOTS = {"arena_bytes": "arena bytes", "executed_macs": "executed MACs"}


@dataclass(frozen=True, slots=True)
class Tick:
    """A line or a text of an axis, at pixels from the top or the left."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A network in a plot."""

    x: float
    y: float
    radius: float
    style: str
    title: str


@dataclass(frozen=True, slots=True)
class Plot:
    """Accuracy (upwards) against one cost."""

    name: str
    rows: tuple[Tick, ...]
    columns: tuple[Tick, ...]
    marks: tuple[Mark, ...]
    width: int = WIDTH
    height: int = HEIGHT
    foot: int = HEIGHT - FOOT + 16


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table of points."""

    name: str
    cells: tuple[str, ...]


def study_page(data: str, board: str, space: str, trials: Sequence[Trial], points: Sequence[Mapping[str, Any]]) -> str:
    """HTML of a study; points: what their ``point.json`` hold."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates_dir()), undefined=jinja2.StrictUndefined, autoescape=True
    )
    judged = list({t.candidate: t for t in trials if t.accuracy is not None}.values())
    return environment.get_template("search.html.j2").render(
        version=__version__,
        data=data,
        board=board,
        space=space,
        trials=f"{len(trials):,}",
        judged=f"{len(judged):,}",
        plots=[plot(cost, title, judged, points) for cost, title in PLOTS.items()],
        rows=[_row(point) for point in points],
        follow=points[0]["next"] if points else [],
    )


def plot(cost: str, title: str, judged: Sequence[Trial], points: Sequence[Mapping[str, Any]]) -> Plot:
    """The axes begin at 0 and end at the largest cost, and at an accuracy of 1."""
    most = max([getattr(t.cost, cost) for t in judged] + [int(p[cost]) for p in points], default=1) or 1

    def mark(x: float, y: float, style: str, name: str) -> Mark:
        across = LEFT + (WIDTH - LEFT - 14) * x / most
        text = f"{name}: {y:.2%}, {x:,.0f} {title}"
        return Mark(round(across, 1), _height(y), 6 if style == "point" else 2.5, style, text)

    marks = [mark(getattr(t.cost, cost), t.accuracy or 0.0, "dot", t.candidate.key) for t in judged]
    marks += [mark(p[cost], p["accuracy"], "point", p["candidate"]) for p in points]
    rows = tuple(Tick(_height(part), f"{part:.0%}") for part in (0.0, 0.25, 0.5, 0.75, 1.0))
    columns = tuple(
        Tick(round(LEFT + (WIDTH - LEFT - 14) * part, 1), f"{most * part:,.0f}") for part in (0.25, 0.5, 0.75)
    )
    return Plot(title, rows, columns, tuple(marks))


def _height(part: float) -> float:
    return round(TOP + (HEIGHT - FOOT - TOP) * (1 - part), 1)


def _row(point: Mapping[str, Any]) -> Row:
    parts = [f"{point[name]:.2%}" for name in ("accuracy", "test_accuracy", "float_accuracy")]
    sizes = [f"{point['arena_bytes']:,} B", f"{point['flash_bytes']['total']:,} B", f"{point['executed_macs']:,}"]
    return Row(point["candidate"], (*parts, *sizes))
