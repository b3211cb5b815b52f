"""Emulated boards that run: a child process that boots a flash file and listens on a TCP port."""

from __future__ import annotations

import queue
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tinyforge.errors import DeviceError, ToolMissing, UsageError
from tinyforge.target import Board
from tinyforge.toolchain.process import start_program

EMULATORS = ("unicorn", "qemu")
_START_TIMEOUT_S = 60.0
_QEMU_ATTEMPTS = 3


def choose_emulator(board: Board, emulator: str | None) -> str:
    """`emulator`, or the board's own. Raises UsageError where it cannot run this board."""
    chosen = emulator or board.emulator
    if chosen not in EMULATORS:
        raise UsageError(f"{board.name} has no emulator {chosen!r}; choose one of: {', '.join(EMULATORS)}")
    if chosen == "qemu" and board.qemu is None:
        raise UsageError(f"QEMU has no machine for {board.name}; use --emulator unicorn")
    if chosen == "unicorn" and board.bsp != "cmsdk":
        raise UsageError(f"unicorn has no model of the peripherals of {board.name}; use --emulator qemu")
    return chosen


@contextmanager
def booted(board: Board, flash: Path, emulator: str | None = None) -> Iterator[str]:
    """Boot the flash file on an emulated board; yields the URL of its serial port; ends the process afterwards."""
    if not flash.is_file():
        raise DeviceError(f"the emulated {board.name} was never flashed; do it with: tinyforge flash")
    if choose_emulator(board, emulator) == "unicorn":
        process, port = _start_unicorn(board, flash)
    else:
        process, port = _start_qemu(board, flash)
    try:
        yield f"socket://127.0.0.1:{port}"
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.communicate(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


def _start_unicorn(board: Board, flash: Path) -> tuple[subprocess.Popen[bytes], int]:
    described = board.source or board.name
    process = start_program([sys.executable, "-m", "tinyforge.device.emulate.board", described, flash])
    line = _first_line(process)
    if not line.startswith("port "):
        _end(process)
        raise DeviceError(f"the emulated {board.name} did not start: {line or 'no message'}")
    return process, int(line.split()[1])


def _first_line(process: subprocess.Popen[bytes]) -> str:
    """First line of output, or what came on standard error instead."""
    lines: queue.Queue[bytes] = queue.Queue()
    assert process.stdout is not None
    stdout = process.stdout
    threading.Thread(target=lambda: lines.put(stdout.readline()), daemon=True).start()
    try:
        line = lines.get(timeout=_START_TIMEOUT_S)
    except queue.Empty:
        return f"silent for {_START_TIMEOUT_S:.0f} s"
    if not line and process.stderr is not None:
        process.wait(timeout=10)
        line = process.stderr.read()[-500:]
    return line.decode("utf-8", "replace").strip()


def _start_qemu(board: Board, flash: Path) -> tuple[subprocess.Popen[bytes], int]:
    """QEMU takes no port 0 that it could tell us about, so a free one is tried, and another if it was taken."""
    message = ""
    for _ in range(_QEMU_ATTEMPTS):
        port = _free_port()
        process = start_program(qemu_command(board, flash, f"tcp:127.0.0.1:{port},server=on,wait=off,nodelay=on"))
        if _listens(process, port):
            return process, port
        _end(process)
        message = f"exit code {process.returncode}"
    raise DeviceError(f"QEMU did not start for {board.name}: {message}")


def qemu_command(board: Board, flash: Path, serial: str) -> list[str]:
    """Command that boots a flash file; serial: QEMU's word for the other end of the board's serial port.

    Raises ToolMissing without QEMU.
    """
    machine = board.qemu
    assert machine is not None
    command = [_qemu_program(board), "-machine", machine.machine]
    command += _image_options(machine.boot, board, flash)
    # One instruction is one nanosecond of virtual time: counts are repeatable.
    command += ["-display", "none", "-monitor", "none", "-icount", "shift=0"]
    return [*command, *["-serial", "null"] * machine.serial, "-serial", serial]


def _qemu_program(board: Board) -> str:
    name, package = "qemu-system-arm", "qemu-system-arm"
    if board.core.is_riscv:
        name, package = "qemu-system-riscv32", "qemu-system-misc"
    path = shutil.which(name)
    if path is None:
        raise ToolMissing(f"{name} was not found; install it (apt install {package})")
    return path


def _image_options(boot: str, board: Board, flash: Path) -> list[str]:
    """How QEMU is told of the flash's content (see QemuMachine.boot)."""
    if boot == "kernel":
        return ["-kernel", str(flash)]
    load = _loaders(flash, board.flash.origin, board.sram_bytes)
    if boot == "origin":
        return ["-bios", "none", *load]
    vectors = flash.with_suffix(".vectors")
    vectors.write_bytes(flash.read_bytes()[:8])
    return ["-kernel", str(vectors), *load]


def _loaders(flash: Path, origin: int, limit: int) -> list[str]:
    """QEMU's loader takes no file that is larger than the machine's RAM, wherever it goes: it gets pieces."""
    content = flash.read_bytes()
    if len(content) <= limit:
        return ["-device", f"loader,file={flash},addr=0x{origin:08x},force-raw=on"]
    options = []
    for number, at in enumerate(range(0, len(content), limit)):
        piece = flash.with_suffix(f".part{number}")
        piece.write_bytes(content[at : at + limit])
        options += ["-device", f"loader,file={piece},addr=0x{origin + at:08x},force-raw=on"]
    return options


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _listens(process: subprocess.Popen[bytes], port: int) -> bool:
    """Whether something accepts connections on `port`, while `process` lives."""
    deadline = time.monotonic() + _START_TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            probe.settimeout(1.0)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return True
        time.sleep(0.02)
    return False
