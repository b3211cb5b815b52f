"""Runs a flashed model on a board over its serial protocol: real, or emulated in a process of its own."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tinyforge.codegen.build_info import BuildInfo, load_build_info
from tinyforge.device.client import DeviceClient
from tinyforge.device.emulate.process import booted, choose_emulator
from tinyforge.device.flash.emulated import flash_file, flashed_compiler
from tinyforge.device.flash.images import flash_content
from tinyforge.device.ports import AUTO, find_port
from tinyforge.device.result import Array, Progress, RunResult, pack_samples
from tinyforge.device.sample_log import SampleLog
from tinyforge.device.session import run_client
from tinyforge.device.transport import SerialTransport
from tinyforge.errors import DeviceError, UsageError
from tinyforge.target import Board
from tinyforge.toolchain.firmware import Firmware

_FAULT_PC = re.compile(r"FAULT pc=([0-9a-f]{8})")
_NANOSECONDS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Line:
    """Where the board is. port: serial port of a real one (anything pyserial opens, or ``auto``), None for the emulated
    board, which is booted from its flash file. emulator: `unicorn` or `qemu`. number: which of several boards this is;
    its results are kept under it. resume: go on with the results of an interrupted run."""

    port: str | None = None
    emulator: str | None = None
    number: int = 0
    resume: bool = False


def run_board(
    build_dir: Path,
    board: Board,
    inputs: Sequence[Array],
    line: Line | None = None,
    *,
    profile: bool = False,
    progress: Progress | None = None,
) -> RunResult:
    """Run every sample of `inputs` (one array a model input, (samples, *shape)) on the flashed board.

    profile: ask for every operator's ticks too. progress: called with (samples done, samples).
    Raises DeviceError when the board is silent, faults, goes away, or holds another model.
    """
    line = line or Line()
    info = load_build_info(build_dir)
    port = find_port(info, board.uart.baud) if line.port == AUTO else line.port
    if port is None and not board.emulator:
        raise UsageError(f"{board.name} is a real board: give its serial port with --port")
    path = flash_file(build_dir, board).with_name(f"run{line.number}.samples")
    log = SampleLog(path, info, pack_samples(info, inputs), resume=line.resume)
    try:
        if port is not None:
            return _run_on(port, board, info, inputs, profile, progress, log)
        chosen = choose_emulator(board, line.emulator)
        with booted(board, flash_file(build_dir, board), chosen) as url:
            result = _run_on(url, board, info, inputs, profile, progress, log)
    except DeviceError as error:
        if not log.added:
            raise
        kept = f"{len(log):,} of {len(inputs[0]):,} samples are kept; when the board is back, go on with --resume"
        raise DeviceError(f"{board.name}: {error}\n{kept}") from error
    finally:
        log.close()
    result = replace(result, compiler=flashed_compiler(build_dir, board))
    return _as_instructions(result, board, chosen)


def run_booted(
    firmware: Firmware,
    inputs: Sequence[Array],
    emulator: str,
    progress: Progress | None = None,
    *,
    profile: bool = False,
) -> RunResult:
    """Boot `firmware` on a fresh emulated board (`unicorn` or `qemu`) and run over its serial port.

    What `tinyforge run --on emulator --emulator qemu` does: nothing that was flashed before is touched.
    """
    content = flash_content(firmware.image().segments, firmware.board)
    with tempfile.TemporaryDirectory() as folder:
        flash = Path(folder) / "flash.bin"
        flash.write_bytes(content)
        try:
            with booted(firmware.board, flash, emulator) as url:
                result = _run_on(url, firmware.board, firmware.info, inputs, profile, progress)
        except DeviceError as error:
            raise DeviceError(_with_function(str(error), firmware)) from error
    result = _as_instructions(result, firmware.board, emulator)
    return replace(result, runner=f"emulator ({emulator})", compiler=firmware.compiler)


def _with_function(message: str, firmware: Firmware) -> str:
    """A fault report with the function its PC lies in."""
    match = _FAULT_PC.search(message)
    return f"{message}, at {firmware.image().where(int(match.group(1), 16))}" if match else message


def _as_instructions(result: RunResult, board: Board, emulator: str) -> RunResult:
    """Emulators count instructions, never cycles: unicorn's timer one a tick, QEMU's clock one a nanosecond."""
    factor = _NANOSECONDS / board.qemu.cycle_hz if emulator == "qemu" and board.qemu is not None else 1
    layers = tuple(replace(p, instructions=round((p.cycles or 0) * factor), cycles=None) for p in result.layers)
    return replace(
        result,
        runner=f"board ({emulator})",
        instructions=round((result.cycles or 0) * factor),
        cycles=None,
        layers=layers,
        latencies=tuple(round(ticks * factor) for ticks in result.latencies),
        latency_hz=0,
    )


def _run_on(
    url: str,
    board: Board,
    info: BuildInfo,
    inputs: Sequence[Array],
    profile: bool,
    progress: Progress | None,
    log: SampleLog | None = None,
) -> RunResult:
    client = DeviceClient(SerialTransport(url, board.uart.baud))
    try:
        return run_client(client, info, inputs, progress, profile=profile, log=log)
    finally:
        client.close()
