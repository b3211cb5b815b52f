"""Where a build can run. One more place is one more class, and one line in RUNNERS.

outcome = RUNNERS["emulator"].run(RunRequest(build_dir, load_board("emulated_m7"), [inputs]))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tinyforge.device.result import Array, Progress, RunResult
from tinyforge.errors import UsageError
from tinyforge.target import Board
from tinyforge.toolchain.firmware import Firmware, build_firmware


@dataclass(frozen=True, slots=True, eq=False)
class RunRequest:
    """What to run. inputs: one array a model input, (samples, *shape).

    emulator: `unicorn` or `qemu`, None for the default. port: serial port of a real board; number: which of several
    boards it is; resume: go on with an interrupted run of a board. trace: collect every operator's output. profile:
    watch every data access however long the inference is; over a serial line, every operator's ticks. progress: called
    with (samples done, samples) where the runner can tell.
    """

    build_dir: Path
    board: Board
    inputs: Sequence[Array]
    toolchain: str = "zig"
    emulator: str | None = None
    port: str | None = None
    number: int = 0
    resume: bool = False
    trace: bool = False
    profile: bool = False
    progress: Progress | None = None


@dataclass(frozen=True, slots=True, eq=False)
class RunOutcome:
    """What came of it; firmware: the image that was linked for the run, None where none was."""

    result: RunResult
    firmware: Firmware | None = None


class Runner(Protocol):
    """Runs builds somewhere."""

    def run(self, request: RunRequest) -> RunOutcome:
        """Raises DeviceError where the run fails, ToolMissing without its tools, UsageError for what it cannot do."""


class HostRunner:
    """This machine, native code."""

    def run(self, request: RunRequest) -> RunOutcome:
        """Build with the first compiler found, and run."""
        from tinyforge.device.host import run_host

        return RunOutcome(run_host(request.build_dir, request.inputs, trace=request.trace, progress=request.progress))


class EmulatorRunner:
    """The linked firmware image in unicorn, every instruction counted; or the whole board in QEMU."""

    def run(self, request: RunRequest) -> RunOutcome:
        """Link the firmware and run it; nothing that was flashed is touched."""
        from tinyforge.device.board import run_booted
        from tinyforge.device.emulate.run import run_emulator

        only_qemu = request.emulator is None and not request.board.core.unicorn_model
        if only_qemu and request.trace:
            # Only unicorn sees the calls that report operator outputs; the host runs the same kernels' plain C.
            return HostRunner().run(request)
        booting = (only_qemu or request.emulator == "qemu") and not request.trace
        firmware = build_firmware(
            request.build_dir,
            request.board,
            request.toolchain,
            trace=request.trace,
            profile=request.profile and booting,
        )
        if booting:
            result = run_booted(firmware, request.inputs, "qemu", request.progress, profile=request.profile)
            return RunOutcome(result, firmware)
        result = run_emulator(firmware, request.inputs, profile=request.profile, progress=request.progress)
        return RunOutcome(result, firmware)


class BoardRunner:
    """The flashed board over its serial port, real or emulated."""

    def run(self, request: RunRequest) -> RunOutcome:
        """Talk to the board; it must hold this build."""
        from tinyforge.device.board import Line, run_board

        if request.trace:
            raise UsageError("a board does not report single operators; use --on emulator for that")
        result = run_board(
            request.build_dir,
            request.board,
            request.inputs,
            Line(request.port, request.emulator, request.number, request.resume),
            profile=request.profile,
            progress=request.progress,
        )
        return RunOutcome(result)


RUNNERS: dict[str, Runner] = {"host": HostRunner(), "emulator": EmulatorRunner(), "board": BoardRunner()}
