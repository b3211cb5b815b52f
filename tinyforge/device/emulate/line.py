"""The serial line of an emulated board: a TCP socket to the outside, bytes with their times to the board."""

from __future__ import annotations

import os
import select
import socket
import sys
import threading
from collections.abc import Callable

_IDLE_S = 0.02
_CHUNK = 4096
_KEPT = 512


class SocketLine:
    """One client at a time; a new one takes over where the last one left. There is no flow control: what the client
    sends is on the wire, whether the board listens or not.

    A thread of its own takes bytes from the socket as they come and notes the board's time with them. It starts when
    the board listens for the first time: a host that comes while the board boots waits until then.
    """

    def __init__(self, port: int) -> None:
        self._thread: threading.Thread | None = None
        self._server = socket.create_server(("127.0.0.1", port))
        self._client: socket.socket | None = None
        self._came = threading.Condition()
        self._chunks: list[tuple[int, bytes]] = []
        self._sent = bytearray()
        self._parent = os.getppid()

    @property
    def port(self) -> int:
        """Where to connect."""
        return int(self._server.getsockname()[1])

    def arrived(self, clock: Callable[[], int], *, wait: bool) -> list[tuple[int, bytes]]:
        """(time, bytes) of what came since the last call; `wait`: send what the board said so far, and wait a little
        for an answer. clock: the board's time, the same every call."""
        if wait:
            self.flush()
            if self._thread is None:
                self._thread = threading.Thread(target=self._listen, args=(clock,), daemon=True)
                self._thread.start()
        with self._came:
            if wait and not self._chunks and not self._came.wait(_IDLE_S) and os.getppid() != self._parent:
                sys.exit(0)
            chunks, self._chunks = self._chunks, []
        return chunks

    def send(self, byte: int) -> None:
        """Kept until the board listens again: it answers whole frames."""
        self._sent.append(byte)
        if len(self._sent) >= _KEPT:
            self.flush()

    def flush(self) -> None:
        """Send what waits; without a client it is lost, as on a wire."""
        data, self._sent = bytes(self._sent), bytearray()
        client = self._client
        if data and client is not None:
            try:
                client.sendall(data)
            except OSError:
                return  # the listening thread notices that the client is gone

    def _listen(self, clock: Callable[[], int]) -> None:
        while True:
            client = self._client
            ready = select.select([self._server, *([client] if client is not None else [])], [], [])[0]
            if self._server in ready:
                self._take(self._server.accept()[0])
            elif client is not None:
                self._receive(client, clock)

    def _take(self, client: socket.socket | None) -> None:
        old, self._client = self._client, client
        if old is not None:
            old.close()
        if client is not None:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _receive(self, client: socket.socket, clock: Callable[[], int]) -> None:
        try:
            data = client.recv(_CHUNK)
        except OSError:
            data = b""
        if not data:
            self._take(None)
            return
        with self._came:
            self._chunks.append((clock(), data))
            self._came.notify()
