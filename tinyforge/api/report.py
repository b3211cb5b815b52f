"""``tinyforge.report``: one HTML page about a build."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyforge.api.own_board import compiled_for
from tinyforge.api.progress import Progress, quiet
from tinyforge.api.settings import CompileSettings
from tinyforge.codegen.build_info import BuildInfo, load_build_info, metadata_dir
from tinyforge.reporting.page import page
from tinyforge.reporting.plan_file import PlanFile, load_plan
from tinyforge.reporting.words import profile_core
from tinyforge.schedule.front import Point
from tinyforge.target import Board, load_board

if TYPE_CHECKING:
    from tinyforge.device.result import LayerProfile

_FILE = "report.html"


@dataclass(frozen=True, slots=True)
class ReportResult:
    """Where the page is."""

    path: Path

    def as_json(self) -> dict[str, Any]:
        return {"report": str(self.path), "bytes": self.path.stat().st_size}


def report(
    build: str | Path,
    *,
    out: str | Path | None = None,
    measure: bool = True,
    front: bool = True,
    progress: Progress = quiet,
) -> ReportResult:
    """Write the page about the build folder ``build`` to ``out`` (default: into its hidden folder).

    ``measure``: run one random sample on the emulator for the instructions of each operator; skipped for boards that
    the instruction counter cannot run. ``front``: work out the front of schedules, where the build has none yet.
    """
    from tinyforge.toolchain.firmware import build_firmware

    folder = Path(build)
    info = load_build_info(folder)
    plan = load_plan(folder)
    board = load_board(compiled_for(folder, info))
    if front and not plan.front:
        progress("working out the front")
        plan = replace(plan, front=_front(folder, info, plan, board))
    progress("building the firmware")
    firmware = build_firmware(folder, board, str(info.options.get("toolchain", "zig")))
    profile: tuple[LayerProfile, ...] = ()
    if measure and board.core.unicorn_model:
        from tinyforge.api.run import run

        progress("counting instructions")
        done = run(folder, on="emulator", emulator="unicorn", samples=1, profile=True, progress=progress)
        profile = done.result.layers
    core = profile_core(board.core.name, profile)
    text = page(info, plan, profile, core, max(0, firmware.flash_bytes - info.flash.total))
    path = Path(out) if out is not None else metadata_dir(folder) / _FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return ReportResult(path)


def _front(folder: Path, info: BuildInfo, plan: PlanFile, board: Board) -> tuple[Point, ...]:
    """The front of schedules with the point of the build; none for schedules of one family, which have no front."""
    from tinyforge.api.compile import MODEL_COPY
    from tinyforge.api.network import read_network
    from tinyforge.codegen.generate import lower_graph
    from tinyforge.schedule.front import pareto

    settings = CompileSettings(board=info.board, **info.options)
    if settings.schedule != "auto":
        return ()
    graph = read_network(metadata_dir(folder) / MODEL_COPY, settings.io).graph
    fused = sum(stage.kind == "fused" for stage in plan.stages)
    chosen = Point(plan.arena_bytes, info.executed_macs, plan.estimated_cycles, fused, chosen=True)
    return pareto(graph, lower_graph(graph, board.isa), settings.wishes(board), chosen)
