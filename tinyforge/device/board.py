"""Runs a flashed model on a board over its serial protocol: real, or emulated in a process of its own."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from tinyforge.codegen.build_info import BuildInfo, load_build_info
from tinyforge.device.client import DeviceClient, DeviceTensor, Hello, RefusedError, Status
from tinyforge.device.emulate.process import booted, choose_emulator
from tinyforge.device.flash.emulated import flash_file, flashed_compiler
from tinyforge.device.flash.images import flash_content
from tinyforge.device.ports import AUTO, find_port
from tinyforge.device.result import Array, LayerProfile, RunResult, highest, pack_samples, unpack_outputs
from tinyforge.device.transport import SerialTransport
from tinyforge.errors import DeviceError, UsageError
from tinyforge.target import Board
from tinyforge.toolchain.firmware import Firmware

PAINTS = (0xA5, 0x5A)
_FAULT_PC = re.compile(r"FAULT pc=([0-9a-f]{8})")
_SAMPLE_ATTEMPTS = 3
_NANOSECONDS = 1_000_000_000
Progress = Callable[[int, int], None]


def run_board(
    build_dir: Path,
    board: Board,
    inputs: Sequence[Array],
    *,
    port: str | None = None,
    emulator: str | None = None,
    profile: bool = False,
    progress: Progress | None = None,
) -> RunResult:
    """Run every sample of `inputs` (one array a model input, (samples, *shape)) on the flashed board.

    port: serial port of a real board (anything pyserial opens, or ``auto``); without it the emulated board is
    booted from its flash file. emulator: `unicorn` or `qemu`. profile: ask for every operator's ticks too.
    progress: called with (samples done, samples).
    Raises DeviceError when the board is silent, faults, or holds another model.
    """
    info = load_build_info(build_dir)
    if port == AUTO:
        port = find_port(info, board.uart.baud)
    if port is not None:
        return _run_on(port, board, info, inputs, profile, progress)
    if not board.emulator:
        raise UsageError(f"{board.name} is a real board: give its serial port with --port")
    chosen = choose_emulator(board, emulator)
    with booted(board, flash_file(build_dir, board), chosen) as url:
        result = _run_on(url, board, info, inputs, profile, progress)
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
    total = round((result.cycles or 0) * factor)
    return replace(result, runner=f"board ({emulator})", instructions=total, cycles=None, layers=layers)


def _run_on(
    url: str,
    board: Board,
    info: BuildInfo,
    inputs: Sequence[Array],
    profile: bool,
    progress: Progress | None,
) -> RunResult:
    client = DeviceClient(SerialTransport(url, board.uart.baud))
    try:
        return run_client(client, info, inputs, progress, profile=profile)
    finally:
        client.close()


def run_client(
    client: DeviceClient,
    info: BuildInfo,
    inputs: Sequence[Array],
    progress: Progress | None = None,
    *,
    profile: bool = False,
) -> RunResult:
    """Run samples over an open connection. The first one runs twice, over two arena paints; the profile is that of
    the second."""
    samples = pack_samples(info, inputs)
    hello = client.hello()
    _check_model(client, hello, info)
    marks: list[tuple[int, ...]] = []
    cycles = 0
    raw: list[list[bytes]] = []
    for paint in PAINTS:
        outputs, cycles = _run_sample(client, hello, info, samples[0], paint)
        marks.append(client.memory().parts_high_water)
    layers = _profile(client, info) if profile else ()
    raw.append(outputs)
    for done, sample in enumerate(samples[1:], start=1):
        if progress is not None:
            progress(done, len(samples))
        raw.append(_run_sample(client, hello, info, sample, None)[0])
    if progress is not None:
        progress(len(samples), len(samples))
    return RunResult(
        runner="board",
        compiler="",
        outputs=unpack_outputs(info, raw),
        samples=len(samples),
        cycles=cycles if hello.cycle_source != "none" else None,
        arenas_high_water_bytes=highest(marks),
        stack_high_water_bytes=client.memory().stack_high_water,
        layers=layers,
    )


def _profile(client: DeviceClient, info: BuildInfo) -> tuple[LayerProfile, ...]:
    try:
        ticks = client.profile()
    except RefusedError as refused:
        raise DeviceError(f"{info.name}: this firmware counts no operators; flash it with: --profile") from refused
    if len(ticks) != len(info.operators):
        raise DeviceError(
            f"the board counts {len(ticks)} operators, this build has {len(info.operators)}; flash it again"
        )
    return tuple(
        LayerProfile(op.index, op.name, op.kind, op.symbol, 0, cycles=spent)
        for op, spent in zip(info.operators, ticks, strict=True)
    )


def _check_model(client: DeviceClient, hello: Hello, info: BuildInfo) -> None:
    """The device must hold exactly the model of this build."""
    expected = info.digest[:64].ljust(64, "0")
    if (hello.name, hello.digest) != (info.name, expected):
        raise DeviceError(
            f"the board holds {hello.name} {hello.digest[:12]}, this build is {info.name} {expected[:12]}; "
            "flash it with: tinyforge flash"
        )
    wanted = [*info.inputs, *info.outputs]
    found: list[DeviceTensor] = [client.tensor(i) for i in range(hello.inputs + hello.outputs)]
    for tensor, device in zip(wanted, found, strict=True):
        if (tensor.dtype, tensor.nbytes, tensor.shape) != (device.dtype, device.nbytes, device.shape):
            raise DeviceError(f"the board describes {tensor.name} otherwise than this build does; flash it again")


def _run_sample(
    client: DeviceClient, hello: Hello, info: BuildInfo, sample: Sequence[bytes], paint: int | None
) -> tuple[list[bytes], int]:
    """Outputs and ticks. A board that lost its state (a reset, a bad line) gets the sample again."""
    for attempt in range(_SAMPLE_ATTEMPTS):
        try:
            if paint is not None:
                client.paint(paint)
            if hello.row_bytes:
                client.feed_input(sample[0])
            else:
                for number, data in enumerate(sample):
                    client.write_input(number, data)
            ticks = client.invoke()
            outputs = [client.read_tensor(hello.inputs + i, tensor.nbytes) for i, tensor in enumerate(info.outputs)]
            return outputs, ticks
        except RefusedError as refused:
            if refused.status != Status.BAD_STATE or attempt == _SAMPLE_ATTEMPTS - 1:
                raise
            client.hello()
    raise AssertionError
