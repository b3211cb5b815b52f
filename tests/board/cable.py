"""A cable to an emulated board that can be pulled: between the board's socket and a socket or a pseudo-terminal."""

from __future__ import annotations

import os
import pty
import re
import select
import socket
import subprocess
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tinyforge.device.emulate.process import qemu_command
from tinyforge.target import Board


class Cable:
    """Carries bytes both ways until `pull`, or until `pull_after` bytes came from the board.

    terminal: the host's end is a pty, as of a USB serial adapter; else a socket. `port`: what to open.
    """

    def __init__(self, board_url: str, *, terminal: bool = False, pull_after: int | None = None) -> None:
        host, number = board_url.removeprefix("socket://").split(":")
        self._board = socket.create_connection((host, int(number)), timeout=30)
        self._left = pull_after
        self._server: socket.socket | None = None
        if terminal:
            self._near, far = pty.openpty()
            tty.setraw(far)
            self.port = os.ttyname(far)
            self._far = far
        else:
            self._server = socket.create_server(("127.0.0.1", 0))
            self.port = f"socket://127.0.0.1:{self._server.getsockname()[1]}"
        self._stop, self._stopped = os.pipe()
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()

    def pull(self) -> None:
        """Out of the socket: the host's end is gone."""
        os.write(self._stopped, b"x")
        self._thread.join(30)

    def _carry(self) -> None:
        near = self._near if self._server is None else self._accept()
        while near >= 0 and (self._left is None or self._left > 0):
            ready = select.select([near, self._board, self._stop], [], [])[0]
            if self._stop in ready:
                break
            if near in ready:
                data = self._read(near)
                if not data:
                    break
                self._board.sendall(data)
            if self._board in ready:
                self._answer(near, self._board.recv(4096))
        self._end(near)

    def _accept(self) -> int:
        """The host's connection, as a descriptor; negative where the cable is pulled before."""
        assert self._server is not None
        if self._stop in select.select([self._server, self._stop], [], [])[0]:
            return -1
        return self._server.accept()[0].detach()

    def _read(self, near: int) -> bytes:
        try:
            return os.read(near, 4096)
        except OSError:
            return b""

    def _answer(self, near: int, data: bytes) -> None:
        if self._left is not None:
            data = data[: self._left]
            self._left -= len(data)
        os.write(near, data)

    def _end(self, near: int) -> None:
        if near >= 0:
            os.close(near)
        if self._server is None:
            os.close(self._far)
        else:
            self._server.close()
        self._board.close()


@contextmanager
def qemu_on_a_pty(board: Board, flash: Path) -> Iterator[str]:
    """The board in QEMU; yields the path of its terminal."""
    process = subprocess.Popen(qemu_command(board, flash, "pty"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        assert process.stdout is not None
        match = re.search(rb"(/dev/pts/\d+)", process.stdout.readline())
        assert match is not None
        yield match.group(1).decode()
    finally:
        process.kill()
        process.communicate()
