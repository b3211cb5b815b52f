"""The memory timeline as a drawing: buffers are rectangles over steps (left to right) and arena bytes (upwards)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tinyforge.codegen.build_info import BankUse
from tinyforge.ir.memory_plan import Buffer
from tinyforge.reporting.plan_file import PlanFile
from tinyforge.reporting.words import short

_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 24, 34
_PLOT_HEIGHT = 300
_LEAST_WIDTH, _STEP_WIDTH = 900, 22
_CHARACTER = 6.4  # width of one at the label's size
_NICE = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True, slots=True)
class Rect:
    """A buffer. ``style``: CSS class. ``label``: empty where it has no room. ``hint``: shown on hover."""

    x: float
    y: float
    width: float
    height: float
    style: str
    label: str
    hint: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """A drawing of ``width`` x ``height`` pixels. ``stages``: background of fused stages. ``lines``: (y, text, CSS
    class) across the plot, such as the limit."""

    title: str
    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    rects: tuple[Rect, ...]
    stages: tuple[Rect, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    lines: tuple[tuple[float, str, str], ...]
    peak: Rect


def timelines(plan: PlanFile, banks: Sequence[BankUse], limit: int | None) -> list[Timeline]:
    """The drawings of a build's memory plan, one a bank that holds any of it; ``limit`` bytes, or the size of the bank,
    is drawn as a line where it is near enough."""
    sizes = {bank.name: bank.size for bank in banks}
    if len(plan.parts) < 2:
        bank = plan.parts[0].bank if plan.parts else (banks[0].name if banks else "")
        marks = [(plan.layerwise_arena_bytes, "layer by layer", "other")]
        return [_timeline(plan, plan.buffers, f"arena in {bank}", plan.arena_bytes, marks, limit or sizes.get(bank))]
    found = []
    for part in plan.parts:
        inside = [
            replace(b, offset=b.offset - part.start)
            for b in plan.buffers
            if part.start <= b.offset < part.start + part.used_bytes
        ]
        title = f"arena in {part.bank}"
        found.append(_timeline(plan, inside, title, part.used_bytes, [], sizes.get(part.bank)))
    return found


def _timeline(
    plan: PlanFile,
    buffers: Sequence[Buffer],
    title: str,
    arena_bytes: int,
    marks: list[tuple[int, str, str]],
    limit: int | None,
) -> Timeline:
    steps = max((b.last_use for b in plan.buffers), default=0) + 1
    width = max(_LEAST_WIDTH, _LEFT + _RIGHT + steps * _STEP_WIDTH)
    if limit is not None and limit < 3 * max(arena_bytes, *(m[0] for m in marks), 1):
        marks = [*marks, (limit, "limit", "limit")]
    top_bytes = max(arena_bytes, *(m[0] for m in marks), 1)
    scale = _Scale(steps, top_bytes, width)
    rects = tuple(_rect(scale, b.first_use, b.last_use, b.offset, b.nbytes, b.kind, b.names) for b in buffers)
    stages = tuple(
        _rect(scale, s.nodes[0], s.nodes[-1], 0, top_bytes, "stage", s.names) for s in plan.stages if s.kind == "fused"
    )
    lines = [(scale.y(value), f"{text} {value:,} B", style) for value, text, style in marks if value != arena_bytes]
    lines.append((scale.y(arena_bytes), f"{title} {arena_bytes:,} B", "arena"))
    return Timeline(
        title=title,
        width=width,
        height=_TOP + _PLOT_HEIGHT + _BOTTOM,
        left=_LEFT,
        right=width - _RIGHT,
        top=_TOP,
        bottom=_TOP + _PLOT_HEIGHT,
        rects=rects,
        stages=stages,
        x_ticks=tuple(Tick(scale.x(i + 0.5), str(i)) for i in range(0, steps, max(1, steps // 24))),
        y_ticks=tuple(Tick(scale.y(v), f"{v:,.0f}") for v in nice_ticks(top_bytes)),
        lines=tuple(sorted(lines)),
        peak=_rect(scale, plan.peak_step, plan.peak_step, 0, top_bytes, "peak", ()),
    )


@dataclass(frozen=True, slots=True)
class _Scale:
    steps: int
    top: int
    width: int

    def x(self, step: float) -> float:
        return round(_LEFT + (self.width - _LEFT - _RIGHT) * step / self.steps, 2)

    def y(self, nbytes: float) -> float:
        return round(_TOP + _PLOT_HEIGHT * (1 - nbytes / self.top), 2)


def _rect(scale: _Scale, first: int, last: int, offset: int, nbytes: int, kind: str, names: Sequence[str]) -> Rect:
    x, y = scale.x(first), scale.y(offset + nbytes)
    width, height = round(scale.x(last + 1) - x, 2), round(scale.y(offset) - y, 2)
    text = " = ".join(names)
    room = int(width / _CHARACTER) - 1
    label = "" if height < 12 or room < 7 or not names else _fit(short(names[0]), room)
    hint = f"{text}\n{kind}, {nbytes:,} B at {offset:,}, steps {first} to {last}"
    return Rect(x, y, width, height, kind.replace(" ", "-"), label, hint)


def _fit(name: str, room: int) -> str:
    return name if len(name) <= room else "…" + name[len(name) - room + 1 :]


def nice_ticks(top: float, count: int = 5) -> list[float]:
    """Round values from 0 up to ``top``, about ``count`` of them."""
    raw = top / count
    power = 10.0 ** (len(str(int(max(raw, 1)))) - 1)
    step = next(power * n for n in _NICE if power * n >= raw) if raw >= 1 else 1.0
    return [i * step for i in range(int(top / step) + 1)]
