"""A build as one self-contained HTML page: no script, no external file, readable on a phone and in the dark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tinyforge import __version__
from tinyforge.codegen.build_info import BuildInfo
from tinyforge.paths import templates_dir
from tinyforge.reporting.plan_file import PlanFile
from tinyforge.reporting.plots import PeakRow, band_plots, front_plots, short_names
from tinyforge.reporting.timeline import timelines
from tinyforge.reporting.words import StageSummary, fused_line, short

if TYPE_CHECKING:
    import jinja2

    from tinyforge.device.result import LayerProfile

_MOST_CELLS = 24  # cells a side in the drawing of a patch grid


@dataclass(frozen=True, slots=True)
class FlashPart:
    """A part of the image in flash; ``percent`` of the whole bar."""

    name: str
    nbytes: int
    percent: float
    style: str


@dataclass(frozen=True, slots=True)
class LayerRow:
    """A line of the layer table. ``instructions``, estimated ``cycles`` and bytes moved (``sram_bytes``: read and
    written) are None where they were not counted; ``percent``: share of the cost shown as a bar."""

    index: int
    name: str
    kind: str
    shape: str
    macs: int
    executed_macs: int
    instructions: int | None
    cycles: int | None
    flash_read_bytes: int | None
    sram_bytes: int | None
    per_mac: str
    nbytes: int
    percent: float
    fused: bool


@dataclass(frozen=True, slots=True)
class StageBox:
    """A stage, or a run of layers, in the drawing of the schedule. ``cells``: (x, y, width, height) of its patches in a
    64 x 64 square."""

    title: str
    text: str
    kinds: tuple[str, ...]
    cells: tuple[tuple[float, float, float, float], ...]


def page(info: BuildInfo, plan: PlanFile, profile: Sequence[LayerProfile], core: str, firmware_bytes: int) -> str:
    """The page's text. ``profile``: of the operators, empty where not counted. ``core``: whose cycles are shown, as the
    profile names it. ``firmware_bytes``: flash of the code around the model."""
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            version=__version__,
            info=info,
            plan=plan,
            cards=_cards(info, plan, profile, core),
            timelines=timelines(plan, info.banks, info.sram_limit_bytes),
            peak=peak_rows(plan),
            peak_name=short(info.operators[plan.peak_step].name) if info.operators else "",
            peak_sum=sum(row.nbytes for row in peak_rows(plan)),
            band_plots=band_plots(plan.bands),
            front_plots=front_plots(plan.front),
            kinds=sorted({(b.kind, b.kind.replace(" ", "-")) for b in plan.buffers}),
            stages=stage_boxes(info, plan),
            layers=layer_rows(info, plan, profile, core),
            counted=bool(profile),
            core=core,
            flash=flash_parts(info, firmware_bytes),
        )
    )


def peak_rows(plan: PlanFile) -> list[PeakRow]:
    """Buffers alive in the peak step, largest first."""
    alive = [b for b in plan.buffers if b.first_use <= plan.peak_step <= b.last_use]
    return [
        PeakRow(short_names(b.names), b.kind, b.nbytes, f"{b.first_use} to {b.last_use}")
        for b in sorted(alive, key=lambda b: (-b.nbytes, b.offset))
    ]


def _environment() -> jinja2.Environment:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates_dir()), undefined=jinja2.StrictUndefined, autoescape=True
    )
    environment.filters["brief"] = short
    environment.filters["thousands"] = lambda value: f"{value:,}"
    return environment


def _cards(info: BuildInfo, plan: PlanFile, profile: Sequence[LayerProfile], core: str) -> list[tuple[str, str, str]]:
    """(name, figure, remark) of what matters most."""
    saved = 1 - info.arena_bytes / plan.layerwise_arena_bytes if plan.layerwise_arena_bytes else 0.0
    than = f"{saved:.0%} below layer by layer" if saved > 0 else "as layer by layer"
    factor = info.executed_macs / info.macs if info.macs else 1.0
    cards = [
        ("SRAM arena", f"{info.arena_bytes:,} B", than),
        ("Flash", f"{info.flash.total:,} B", f"weights {info.flash.weights:,} B, code {info.flash.code:,} B"),
        ("Stack", f"{info.stack_bytes:,} B", "bound of one inference"),
        ("MACs", f"{info.executed_macs:,}", f"{factor:.3f} times the network's own"),
    ]
    if profile:
        total = sum(layer.instructions for layer in profile)
        per = f"{total / info.executed_macs:.2f} per MAC" if info.executed_macs else "one inference"
        cards.append(("Instructions", f"{total:,}", per))
        cycles = sum(layer.estimated_cycles.get(core, 0) for layer in profile)
        cards += [("Cycles", f"{cycles:,}", f"estimated for {core}")] if cycles else []
    return cards


def layer_rows(info: BuildInfo, plan: PlanFile, profile: Sequence[LayerProfile], core: str) -> list[LayerRow]:
    """The layer table; the bar is the share of instructions, or of MACs where those were not counted."""
    fused = {node for stage in plan.stages if stage.kind == "fused" for node in stage.nodes}
    counted = {layer.index: layer for layer in profile}
    costs = [counted[op.index].instructions if counted else plan.layer_macs[op.index] for op in info.operators]
    total = sum(costs) or 1
    rows = []
    for op, cost in zip(info.operators, costs, strict=True):
        executed = plan.layer_macs[op.index]
        layer = counted.get(op.index)
        count = layer.instructions if layer else None
        rows.append(
            LayerRow(
                index=op.index,
                name=short(op.name),
                kind=op.kind,
                shape="×".join(map(str, plan.layer_shapes[op.index])),
                macs=op.macs,
                executed_macs=executed,
                instructions=count,
                cycles=layer.estimated_cycles.get(core) if layer else None,
                flash_read_bytes=layer.flash_read_bytes if layer else None,
                sram_bytes=_sram_bytes(layer) if layer else None,
                per_mac=f"{count / executed:.2f}" if count and executed else "",
                nbytes=sum(op.output_nbytes),
                percent=round(100 * cost / total, 1),
                fused=op.index in fused,
            )
        )
    return rows


def _sram_bytes(layer: LayerProfile) -> int | None:
    if layer.sram_read_bytes is None or layer.written_bytes is None:
        return None
    return layer.sram_read_bytes + layer.written_bytes


def stage_boxes(info: BuildInfo, plan: PlanFile) -> list[StageBox]:
    """Stages in order; neighbouring layers are one box."""
    boxes: list[StageBox] = []
    run: list[StageSummary] = []
    for stage in (*plan.stages, None):
        if stage is not None and stage.kind == "layer":
            run.append(stage)
            continue
        if run:
            boxes.append(_layers_box(info, run))
        run = []
        if stage is not None:
            boxes.append(_fused_box(info, stage))
    return boxes


def _layers_box(info: BuildInfo, run: list[StageSummary]) -> StageBox:
    nodes = [stage.nodes[0] for stage in run]
    kinds = tuple(info.operators[i].kind for i in nodes)
    title = f"Operators {nodes[0]} to {nodes[-1]}" if len(nodes) > 1 else f"Operator {nodes[0]}"
    return StageBox(title, "layer by layer, each on its whole tensors", kinds, ((0.0, 0.0, 64.0, 64.0),))


def _fused_box(info: BuildInfo, stage: StageSummary) -> StageBox:
    rows, cols = (min(n, _MOST_CELLS) for n in stage.grid)
    cells = tuple(
        (round(64 * c / cols, 2), round(64 * r / rows, 2), round(64 / cols, 2), round(64 / rows, 2))
        for r in range(rows)
        for c in range(cols)
    )
    kinds = tuple(info.operators[i].kind for i in stage.nodes)
    pieces = f"{stage.grid[0]} × {stage.grid[1]} patches" if stage.grid[1] > 1 else f"{stage.grid[0]} bands"
    title = f"Operators {stage.nodes[0]} to {stage.nodes[-1]}, {pieces}"
    return StageBox(title, fused_line(stage), kinds, cells)


def flash_parts(info: BuildInfo, firmware_bytes: int) -> list[FlashPart]:
    """The image in flash, part by part."""
    parts = [("weights and tables", info.flash.weights, "weights"), ("code of the model", info.flash.code, "code")]
    parts.append(("firmware around it", firmware_bytes, "around"))
    total = sum(nbytes for _, nbytes, _ in parts) or 1
    return [FlashPart(name, nbytes, round(100 * nbytes / total, 2), style) for name, nbytes, style in parts]
