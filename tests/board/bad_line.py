"""Lines that spoil what they carry, and boards that are reset while they are talked to."""

from __future__ import annotations

import random
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

from tinyforge.device.emulate.process import booted, qemu_command
from tinyforge.device.transport import SerialTransport, Transport
from tinyforge.target import Board

BYTE_FAULTS = ("flip", "drop", "duplicate", "invent")
CHUNK_FAULTS = ("truncate", "repeat")
_PER_CHUNK = 0.02
_PER_RESET = 0.02


class BadLine:
    """A line that flips, drops, doubles and invents bytes in both directions, cuts chunks short and repeats them.

    rate: faults a byte. faults: which ones. reset: resets the board; it then happens in the middle of what is sent.
    """

    def __init__(
        self,
        inner: Transport,
        chaos: random.Random,
        rate: float,
        faults: tuple[str, ...] = BYTE_FAULTS + CHUNK_FAULTS,
        reset: Callable[[], None] | None = None,
    ) -> None:
        self._inner, self._random, self._rate, self._reset = inner, chaos, rate, reset
        self._bytes = [fault for fault in BYTE_FAULTS if fault in faults]
        self._chunks = [fault for fault in CHUNK_FAULTS if fault in faults]
        self.resets = 0

    def write(self, data: bytes) -> None:
        data = self._spoil(data)
        if self._reset is not None and self._random.random() < _PER_RESET:
            at = self._random.randrange(len(data) + 1)
            self._inner.write(data[:at])
            self._reset()
            self.resets += 1
            data = data[at:]
        self._inner.write(data)

    def read(self, timeout_s: float) -> bytes:
        return self._spoil(self._inner.read(timeout_s))

    def close(self) -> None:
        self._inner.close()

    def _spoil(self, data: bytes) -> bytes:
        for fault in self._chunks:
            if self._random.random() < _PER_CHUNK:
                data = data[: self._random.randrange(len(data) + 1)] if fault == "truncate" else data + data
        if not self._bytes:
            return data
        out = bytearray()
        for byte in data:
            out += bytes([byte]) if self._random.random() >= self._rate else self._instead(byte)
        return bytes(out)

    def _instead(self, byte: int) -> bytes:
        fault = self._random.choice(self._bytes)
        if fault == "flip":
            return bytes([byte ^ 1 << self._random.randrange(8)])
        if fault == "drop":
            return b""
        return bytes([byte, byte]) if fault == "duplicate" else self._random.randbytes(self._random.randrange(20))


class ResettableBoard(Protocol):
    """A transport to a board, and its reset button."""

    def write(self, data: bytes) -> None: ...

    def read(self, timeout_s: float) -> bytes: ...

    def close(self) -> None: ...

    def reset(self) -> None: ...


class UnicornBoard:
    """A reset is a new process: RAM is gone, bytes on their way too."""

    def __init__(self, board: Board, flash: Path, stack: ExitStack) -> None:
        self._board, self._flash, self._stack = board, flash, stack
        self._boot()

    def _boot(self) -> None:
        self._line = SerialTransport(self._stack.enter_context(booted(self._board, self._flash, "unicorn")))

    def write(self, data: bytes) -> None:
        self._line.write(data)

    def read(self, timeout_s: float) -> bytes:
        return self._line.read(timeout_s)

    def close(self) -> None:
        self._line.close()

    def reset(self) -> None:
        self._line.close()
        self._stack.close()
        self._boot()


class QemuBoard(SerialTransport):
    """A reset is QEMU's: the line stays open, RAM keeps what it held, as on a board with a reset button."""

    def __init__(self, url: str, monitor: socket.socket) -> None:
        super().__init__(url)
        self._monitor = monitor

    def reset(self) -> None:
        self._monitor.sendall(b"system_reset\n")
        while b"system_reset" not in self._monitor.recv(4096):
            pass


@contextmanager
def resettable(board: Board, flash: Path, emulator: str) -> Iterator[ResettableBoard]:
    """Boot `flash` on an emulated board with a reset button."""
    with ExitStack() as stack:
        if emulator == "unicorn":
            unicorn = UnicornBoard(board, flash, stack)
            try:
                yield unicorn
            finally:
                unicorn.close()
            return
        ports = [_free_port(), _free_port()]
        command = qemu_command(board, flash, f"tcp:127.0.0.1:{ports[0]},server=on,wait=off,nodelay=on")
        command[command.index("-monitor") + 1] = f"tcp:127.0.0.1:{ports[1]},server=on,wait=off"
        process = subprocess.Popen(command)
        stack.callback(process.communicate)
        stack.callback(process.kill)
        url = f"socket://127.0.0.1:{ports[0]}"
        SerialTransport(url).close()  # waits until QEMU listens
        with socket.create_connection(("127.0.0.1", ports[1]), timeout=30) as monitor:
            line = QemuBoard(url, monitor)
            stack.callback(line.close)
            yield line


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
