"""Plots of the report as numbers: what a fused stage holds band by band, and the front of schedules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinyforge.reporting.bands import HeldTensor, StageBands
from tinyforge.reporting.timeline import Tick, nice_ticks
from tinyforge.reporting.words import short
from tinyforge.schedule.front import Point

_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 12, 34
_WIDTH, _HEIGHT = 440, 170
_FRONT_WIDTH, _FRONT_HEIGHT = 440, 220


@dataclass(frozen=True, slots=True)
class Area:
    """A tensor's share of a band plot: SVG path, CSS class, text shown on hover."""

    path: str
    style: str
    hint: str


@dataclass(frozen=True, slots=True)
class Frame:
    """A plot's size in pixels, its inner edges and its ticks."""

    width: int
    height: int
    left: int
    right: int
    bottom: int
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    x_title: str


@dataclass(frozen=True, slots=True)
class BandPlot:
    """A fused stage: bytes held (upwards) in every band (left to right), tensor upon tensor, and its tensors."""

    title: str
    frame: Frame
    areas: tuple[Area, ...]
    tensors: tuple[HeldTensor, ...]


@dataclass(frozen=True, slots=True)
class Dot:
    """A schedule in a plot of the front."""

    x: float
    y: float
    chosen: bool
    hint: str


@dataclass(frozen=True, slots=True)
class FrontPlot:
    """SRAM (left to right) against something that is spent (upwards)."""

    title: str
    frame: Frame
    dots: tuple[Dot, ...]


def band_plots(stages: Sequence[StageBands]) -> list[BandPlot]:
    """One plot a fused stage that holds anything."""
    return [_band_plot(stage) for stage in stages if stage.tensors]


def _band_plot(stage: StageBands) -> BandPlot:
    totals = [sum(t.bytes_by_band[i] for t in stage.tensors) for i in range(stage.bands)]
    top = max(totals, default=0) or 1
    frame = _frame(_WIDTH, _HEIGHT, stage.bands, top, "band", whole=True)
    areas, base = [], [0] * stage.bands
    for tensor in stage.tensors:
        upper = [b + n for b, n in zip(base, tensor.bytes_by_band, strict=True)]
        most = max(tensor.bytes_by_band, default=0)
        hint = f"{tensor.name}\n{tensor.how}: up to {tensor.rows} of {tensor.height} rows, {most:,} B held"
        areas.append(Area(_steps(frame, base, upper, top), tensor.kind, hint))
        base = upper
    slices = f", in each of {stage.slices} slices of the channels" if stage.slices > 1 else ""
    return BandPlot(f"Operators {stage.first} to {stage.last}{slices}", frame, tuple(areas), stage.tensors)


def _steps(frame: Frame, lower: Sequence[int], upper: Sequence[int], top: int) -> str:
    """Outline of the area between two step lines over equally wide bands."""

    def x(band: int) -> float:
        return round(frame.left + (frame.right - frame.left) * band / max(len(upper), 1), 1)

    def y(nbytes: int) -> float:
        return round(frame.bottom - (frame.bottom - _TOP) * nbytes / top, 1)

    there = [f"V{y(n)}H{x(i + 1)}" for i, n in enumerate(upper)]
    back = [f"V{y(n)}H{x(i)}" for i, n in reversed(list(enumerate(lower)))]
    return f"M{x(0)} {y(lower[0] if lower else 0)}{''.join(there)}{''.join(back)}Z"


def front_plots(front: Sequence[Point]) -> list[FrontPlot]:
    """SRAM against estimated cycles, and against executed MACs; none without points."""
    if not front:
        return []
    return [
        _front_plot(front, "Estimated cycles over SRAM", [p.estimated_cycles for p in front]),
        _front_plot(front, "Executed MACs over SRAM", [p.executed_macs for p in front]),
    ]


def _front_plot(front: Sequence[Point], title: str, values: Sequence[int]) -> FrontPlot:
    widest, top = 1.05 * max(p.arena_bytes for p in front) or 1, 1.05 * max(values) or 1
    frame = _frame(_FRONT_WIDTH, _FRONT_HEIGHT, widest, top, "SRAM, bytes", whole=False)
    dots = []
    for point, value in zip(front, values, strict=True):
        x = frame.left + (frame.right - frame.left) * point.arena_bytes / widest
        y = frame.bottom - (frame.bottom - _TOP) * value / top
        hint = (
            f"{point.arena_bytes:,} B, {point.executed_macs:,} MACs, {point.estimated_cycles:,} estimated cycles, "
            f"{point.fused_stages} fused stages"
        )
        dots.append(Dot(round(x, 1), round(y, 1), point.chosen, hint))
    return FrontPlot(title, frame, tuple(sorted(dots, key=lambda d: (d.chosen, d.x, d.y))))


def _frame(width: int, height: int, x_top: float, y_top: float, x_title: str, *, whole: bool) -> Frame:
    left, right, bottom = _LEFT, width - _RIGHT, height - _BOTTOM
    x_values = nice_ticks(x_top, 6)
    if whole:
        x_values = sorted({float(round(v)) for v in x_values})
    return Frame(
        width=width,
        height=height,
        left=left,
        right=right,
        bottom=bottom,
        x_ticks=tuple(Tick(round(left + (right - left) * v / x_top, 1), _short_number(v)) for v in x_values),
        y_ticks=tuple(
            Tick(round(bottom - (bottom - _TOP) * v / y_top, 1), _short_number(v)) for v in nice_ticks(y_top)
        ),
        x_title=x_title,
    )


def _short_number(value: float) -> str:
    """``12,500``, and ``2.5 M`` for millions."""
    return f"{value / 1e6:g} M" if value >= 1e6 else f"{value:,.0f}"


@dataclass(frozen=True, slots=True)
class PeakRow:
    """A buffer that is alive in the peak step."""

    name: str
    kind: str
    nbytes: int
    steps: str


def short_names(names: Sequence[str]) -> str:
    """The tensors of a buffer in few words."""
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return short(names[0]) + more
