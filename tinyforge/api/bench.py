"""``tinyforge bench``: instructions, estimated cycles and memory of models x boards x compilers, outputs checked."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyforge import __version__
from tinyforge.api.compile import compile
from tinyforge.api.network import read_network
from tinyforge.api.progress import Progress, quiet
from tinyforge.api.run import run
from tinyforge.errors import DeviceError, DoesNotFit, ModelError, ToolMissing, UsageError
from tinyforge.reporting.bench_page import rewrite_page
from tinyforge.reporting.bench_record import (
    Entry,
    Record,
    Regression,
    compare,
    load_record,
    merged,
    not_compared,
    wrong,
)
from tinyforge.target import Board, load_board

BOARDS = ("emulated_m0plus", "emulated_m3", "emulated_m4", "emulated_m7", "emulated_m33")
QEMU_BOARDS = ("mps3_an547",)
SHORT_BOARDS = ("emulated_m4", "emulated_m7")
SHORT_MODELS = (
    "mlperf_kws_dscnn_int8",
    "mlperf_vww96_mobilenetv1_int8",
    "mlperf_ic_resnet8_int8",
    "mlperf_ad_toycar_int8",
)


@dataclass(frozen=True, slots=True)
class Setup:
    """What is measured: ``models``: files; ``boards``, ``toolchains``: names; how the models are compiled."""

    models: tuple[Path, ...]
    boards: tuple[str, ...]
    toolchains: tuple[str, ...]
    objective: str = "balanced"
    input_mode: str = "whole"


@dataclass(frozen=True, slots=True)
class BenchResult:
    """What was measured, and what is worse than the record it was compared with, or wrong. ``missing``: entries of that
    record which were not measured."""

    record: Record
    regressions: tuple[Regression, ...]
    missing: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is worse, wrong or broken."""
        return not self.regressions and not self.record.failed

    def as_json(self) -> dict[str, Any]:
        """The record, and the comparison in words."""
        found = [str(regression) for regression in self.regressions]
        return {**self.record.as_json(), "regressions": found, "not_compared": list(self.missing)}


def bench(
    models: str | Path | None = None,
    *,
    boards: Sequence[str] = (),
    toolchains: Sequence[str] = (),
    only: Sequence[str] = (),
    short: bool = False,
    objective: str = "balanced",
    input_mode: str = "whole",
    records: Sequence[str | Path] = (),
    against: str | Path | None = None,
    page: str | Path | None = None,
    out: str | Path | None = None,
    progress: Progress = quiet,
) -> BenchResult:
    """Measure every ``.tflite`` file of the folder ``models`` that can be compiled, on boards, with compilers.

    ``only``: stems of the files wanted. ``short``: the four MLPerf Tiny models on SHORT_BOARDS. ``toolchains``: default
    all that are installed. ``records``: take the figures from these files instead of measuring. ``against``: the record
    to compare with. ``page``: Markdown page whose tables are rewritten. ``out``: JSON file to write.
    Inputs and expected outputs are those of ``NAME.golden.npz`` beside a model, else random and the interpreter's.
    Raises UsageError for options that make no sense.
    """
    before = load_record(Path(against)) if against is not None else None
    if records:
        measured = merged([load_record(Path(path)) for path in records])
    else:
        chosen = SHORT_BOARDS if short else default_boards()
        files = _model_files(models, (*only, *(SHORT_MODELS if short else ())))
        setup = Setup(
            files, tuple(boards) or chosen, tuple(toolchains) or installed_toolchains(), objective, input_mode
        )
        measured = measure(setup, progress)
    if out is not None:
        measured.save(Path(out))
    if page is not None:
        rewrite_page(Path(page), measured)
    worse = compare(before, measured) if before is not None else ()
    missing = not_compared(before, measured) if before is not None else ()
    return BenchResult(measured, (*wrong(measured.entries), *worse), missing)


def default_boards() -> tuple[str, ...]:
    """One emulated board a core; those that only QEMU runs where it is installed."""
    return (*BOARDS, *QEMU_BOARDS) if shutil.which("qemu-system-arm") else BOARDS


def installed_toolchains() -> tuple[str, ...]:
    """zig, and gcc where it is installed."""
    return ("zig", "gcc") if shutil.which("arm-none-eabi-gcc") else ("zig",)


def _model_files(folder: str | Path | None, only: Sequence[str]) -> tuple[Path, ...]:
    if folder is None:
        raise UsageError("bench needs a folder of .tflite files: --models DIR, or a record with --from FILE.json")
    found = {path.stem: path for path in sorted(Path(folder).glob("*.tflite"))}
    if not found:
        raise UsageError(f"{folder}: no .tflite file is there; give a folder of models with --models")
    missing = [name for name in only if name not in found]
    if missing:
        raise UsageError(f"{folder}: has no {', '.join(missing)}; it has: {', '.join(found)}")
    return tuple(found[name] for name in only) if only else tuple(found.values())


def measure(setup: Setup, progress: Progress = quiet) -> Record:
    """The record of ``setup``. Models that cannot be compiled, and boards a model does not fit, are refused by name."""
    entries: list[Entry] = []
    refused: dict[str, str] = {}
    failed: dict[str, str] = {}
    boards = [load_board(name) for name in setup.boards]
    total = len(setup.models) * len(boards) * len(setup.toolchains)
    for i, model in enumerate(setup.models):
        try:
            read_network(model, "int8")
        except ModelError as error:
            refused[model.stem] = str(error)
            continue
        for k, board in enumerate(boards):
            done = (i * len(boards) + k) * len(setup.toolchains)
            try:
                entries += _Case(setup, model, board).entries(done, total, failed, progress)
            except (DoesNotFit, ModelError) as error:
                refused[f"{model.stem} on {board.name}"] = str(error)
            except (ToolMissing, DeviceError) as error:
                failed[f"{model.stem} on {board.name}"] = str(error)
    return Record(__version__, tuple(entries), refused, failed)


@dataclass(frozen=True, slots=True)
class _Case:
    """One model on one board: compiled once, built and run by every compiler."""

    setup: Setup
    model: Path
    board: Board

    def entries(self, done: int, total: int, failed: dict[str, str], progress: Progress) -> list[Entry]:
        """One a compiler; what does not build or run goes into ``failed``."""
        what = f"{self.model.stem} on {self.board.name}"
        progress(f"{what}: compiling", done, total)
        with tempfile.TemporaryDirectory(prefix="tinyforge.") as folder:
            built = compile(
                self.model,
                board=self.board.name,
                objective=self.setup.objective,
                input_mode=self.setup.input_mode,
                toolchain=self.setup.toolchains[0],
                out=Path(folder) / "build",
            )
            found = []
            for i, toolchain in enumerate(self.setup.toolchains):
                progress(f"{what}: {toolchain}", done + i, total)
                try:
                    found.append(self._entry(built.out, toolchain))
                except (ToolMissing, DeviceError) as error:
                    failed[f"{what} by {toolchain}"] = str(error)
            return found

    def _entry(self, build: Path, toolchain: str) -> Entry:
        golden = self.model.with_name(f"{self.model.stem}.golden.npz")
        given = golden if golden.is_file() else None
        done = run(build, inputs=given, reference=given, samples=1, toolchain=toolchain)
        info, result, sizes = done.info, done.result, done.flash
        if sizes is None:
            raise UsageError(f"{self.board.name} is no emulated board; bench counts instructions on emulated ones")
        return Entry(
            model=self.model.stem,
            board=self.board.name,
            core=self.board.core.name,
            toolchain=toolchain,
            compiler=result.compiler,
            objective=self.setup.objective,
            input=self.setup.input_mode,
            macs=info.macs,
            executed_macs=info.executed_macs,
            instructions=result.instructions,
            estimated_cycles=result.estimated_cycles.get(self.board.core.name),
            arena_bytes=info.arena_bytes,
            stack_bytes=done.stack_bound_bytes or 0,
            weights_bytes=sizes.weights,
            code_bytes=sizes.code,
            mismatches=done.mismatches,
            reference=done.reference,
        )
