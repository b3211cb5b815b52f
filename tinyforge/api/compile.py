"""``tinyforge.compile``: a model file becomes a folder of C."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tinyforge.api.dump import write_dump
from tinyforge.api.network import Network, read_network
from tinyforge.api.own_board import keep_board
from tinyforge.api.progress import Progress, quiet
from tinyforge.api.record import build_record, measured_record
from tinyforge.api.settings import CompileSettings, existing_file, size_option
from tinyforge.codegen.build_info import BuildInfo, metadata_dir, save_build_info
from tinyforge.codegen.generate import generate, lower_graph
from tinyforge.codegen.names import model_prefix
from tinyforge.errors import DoesNotFit, UsageError
from tinyforge.ir.program import KernelCall
from tinyforge.ops.packing import is_wide
from tinyforge.paths import firmware_dir
from tinyforge.reporting.header import Measured, header_comment
from tinyforge.reporting.plan_file import PlanFile, plan_file, save_plan
from tinyforge.schedule.front import Point, chosen_point
from tinyforge.schedule.front import pareto as pareto_front
from tinyforge.schedule.in_banks import optimise_in_banks
from tinyforge.schedule.optimise import ScheduleResult
from tinyforge.target import Board
from tinyforge.target.rooms import bank_rooms
from tinyforge.toolchain.firmware import FirmwareOverflow

MODEL_COPY = "model.tflite"
CODE_BYTES = 96 << 10
"""Flash kept for code: the most that models were seen to need."""


@dataclass(frozen=True, slots=True, eq=False)
class CompileResult:
    """A compiled model: ``out`` is its folder, ``info`` what the folder says about itself."""

    out: Path
    info: BuildInfo
    plan: PlanFile

    @property
    def mac_factor(self) -> float:
        """Executed over necessary multiply-accumulates."""
        return self.info.executed_macs / self.info.macs if self.info.macs else 1.0

    def as_json(self) -> dict[str, Any]:
        info = self.info
        return {
            "model": info.model_file,
            "digest": f"sha256:{info.digest}",
            "board": info.board,
            "macs": info.macs,
            "executed_macs": info.executed_macs,
            "mac_factor": round(self.mac_factor, 6),
            "arena_bytes": info.arena_bytes,
            "arena_bytes_without_input": info.arena_bytes_without_input,
            "layerwise_arena_bytes": self.plan.layerwise_arena_bytes,
            "lower_bound_bytes": self.plan.bound,
            "stack_bytes": info.stack_bytes,
            "flash_bytes": {"weights": info.flash.weights, "code": info.flash.code, "total": info.flash.total},
            "input": info.input_mode,
            "schedule": [dict(stage) for stage in info.schedule],
            "banks": [{"name": b.name, "used": b.used, "size": b.size} for b in info.banks],
            "proven_optimal": info.proven_optimal,
            "family": self.plan.family,
            **({"pareto": [asdict(point) for point in self.plan.front]} if self.plan.front else {}),
            "out": str(self.out),
        }


def compile(
    model: str | Path,
    *,
    board: str = "emulated_m7",
    out: str | Path | None = None,
    sram: str | int | None = None,
    flash: str | int | None = None,
    max_mac_factor: float | None = None,
    max_cycle_factor: float | None = None,
    objective: str = "balanced",
    input_mode: str = "whole",
    schedule: str = "auto",
    io: str = "int8",
    toolchain: str = "zig",
    name: str | None = None,
    optimize: str | None = None,
    dump: bool = False,
    pareto: bool = False,
    progress: Progress = quiet,
) -> CompileResult:
    """Compile the ``.tflite`` file ``model`` for ``board`` into the folder ``out`` (default ``out/<name>``).

    The options are those of the command line; ``pareto``: work out the whole front of schedules too. Raises ModelError
    for a model that cannot be compiled, DoesNotFit when no schedule meets the limits, UsageError for options that make
    no sense, ToolMissing without the C compiler.
    """
    settings = CompileSettings(
        board=board,
        sram=size_option(sram),
        flash=size_option(flash),
        max_mac_factor=max_mac_factor,
        max_cycle_factor=max_cycle_factor,
        objective=objective,
        input=input_mode,
        schedule=schedule,
        io=io,
        toolchain=toolchain,
        optimize=optimize,
    )
    source = existing_file(model)
    target = settings.load_board()
    prefix = model_prefix(name or source.stem)
    folder = _checked(Path(out) if out is not None else Path("out") / prefix)
    progress("reading the model")
    network = read_network(source, io)
    return _Job(network, settings, target, prefix, folder, _Extras(dump, pareto), progress).run()


@dataclass(frozen=True, slots=True)
class _Extras:
    """What is wanted beside the build: dumps as text, the whole front."""

    dump: bool
    pareto: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    """One call of ``compile``, its options checked and its model read."""

    network: Network
    settings: CompileSettings
    board: Board
    prefix: str
    folder: Path
    extras: _Extras
    progress: Progress

    def run(self) -> CompileResult:
        """The build; a second time without kernels that want more flash and scratch where it does not fit with them."""
        graph, isa = self.network.graph, self.board.isa
        fast_flash = self.settings.objective == "latency" and self.board.has_fast_flash
        calls = lower_graph(graph, isa, _table_bytes(self.settings, self.board), fast_flash)
        try:
            return self.fitted(calls)
        except DoesNotFit:
            if not any(is_wide(call) for call in calls):
                raise
            return self.fitted(lower_graph(graph, isa, 0))

    def fitted(self, calls: Sequence[KernelCall]) -> CompileResult:
        """The build of ``calls``; a second time where firmware and stack turn out larger than the board file keeps."""
        kept = self.board.firmware_sram_bytes
        try:
            return self.build(calls, kept)
        except FirmwareOverflow as overflow:
            if overflow.firmware_bytes <= kept:
                raise
            return self.build(calls, overflow.firmware_bytes)

    def build(self, calls: Sequence[KernelCall], firmware_bytes: int) -> CompileResult:
        """Schedule, write and measure, with ``firmware_bytes`` of the first SRAM bank kept for firmware and stack.
        Raises FirmwareOverflow where they take more and the arena leaves no room for that."""
        graph, settings, board = self.network.graph, self.settings, self.board
        self.progress("searching the schedule")
        rooms = bank_rooms(board, firmware_bytes)
        wishes = settings.wishes(board)
        found = optimise_in_banks(graph, calls, rooms, settings.sram, wishes, where=board.name)
        front: tuple[Point, ...] = ()
        if self.extras.pareto:
            self.progress("working out the front")
            front = pareto_front(graph, calls, wishes, chosen_point(found))
        info = build_record(self.network, found, settings, board, self.prefix)
        with _replacing(self.folder) as fresh:
            writer = _Writer(fresh, self.network, found, found.calls or calls, board, self.progress)
            result = writer.write(info, plan_file(found, front))
            if self.extras.dump:
                write_dump(fresh, found)
        return replace(result, out=self.folder)


def _table_bytes(settings: CompileSettings, board: Board) -> int:
    """What tables may take before a faster kernel is not worth its larger ones."""
    if settings.objective in ("sram", "size") or not board.has("dsp"):
        return 0
    return (board.flash_bytes if settings.flash is None else settings.flash) - CODE_BYTES


@dataclass(frozen=True, slots=True, eq=False)
class _Writer:
    """Writes one build into a fresh folder and measures it there."""

    folder: Path
    network: Network
    found: ScheduleResult
    calls: Sequence[KernelCall]
    board: Board
    progress: Progress

    def write(self, info: BuildInfo, plan: PlanFile) -> CompileResult:
        self.progress("writing C")
        self._sources(info, None)
        save_build_info(info, self.folder)
        shutil.copyfile(self.network.path, metadata_dir(self.folder) / MODEL_COPY)
        keep_board(self.folder, self.board)
        save_plan(plan, self.folder)
        self.progress("compiling and measuring the C")
        info = self._measure(info)
        save_build_info(info, self.folder)
        return CompileResult(self.folder, info, plan)

    def _sources(self, info: BuildInfo, measured: Measured | None) -> None:
        found = self.found
        comment = header_comment(found, self.calls, info, measured)
        tree = generate(found.graph, found.schedule, found.plan, self.calls, info.name, info.model_file, comment)
        for name, text in tree.files.items():
            (self.folder / name).write_text(text, encoding="utf-8")
        shutil.copyfile(firmware_dir() / "LICENSE", self.folder / "LICENSE")

    def _measure(self, info: BuildInfo) -> BuildInfo:
        """Builds the firmware; rewrites the header with its figures. Raises DoesNotFit over the flash limit.

        A board without firmware leaves stack and code unmeasured (0)."""
        if self.board.bsp_dir is None:
            return info
        from tinyforge.toolchain.firmware import build_firmware

        firmware = build_firmware(self.folder, self.board, str(info.options["toolchain"]))
        info = measured_record(
            info,
            stack_bytes=firmware.stack.bytes,
            weights=firmware.model_constant_bytes,
            code=firmware.model_code_bytes,
        )
        limit = info.flash_limit_bytes
        if limit is not None and info.flash.total > limit:
            raise DoesNotFit(
                f"{info.name}: needs {info.flash.total:,} B of flash (weights {info.flash.weights:,} B, code "
                f"{info.flash.code:,} B), the limit is {limit:,} B; try a smaller network, --schedule layerwise, or a "
                f"board with more: tinyforge boards"
            )
        compiler = f"{firmware.compiler} -{firmware.optimize}"
        self._sources(info, Measured(compiler, firmware.stack.bytes, firmware.stack.proven))
        return info


def _checked(folder: Path) -> Path:
    """The folder to write; refuses to replace anything but an earlier build."""
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not metadata_dir(folder).is_dir())):
        raise UsageError(f"{folder} exists and is no build folder; choose another one with -o")
    return folder


@contextmanager
def _replacing(folder: Path) -> Iterator[Path]:
    """A fresh folder beside ``folder`` that takes its place at the end, all at once, unless an error ends the block."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as temporary:
        fresh = Path(temporary) / "new"
        fresh.mkdir()
        yield fresh
        if folder.exists():
            folder.rename(Path(temporary) / "old")
        fresh.rename(folder)
