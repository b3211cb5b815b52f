"""A TCP connection between a tool and a chip that loses bytes, or breaks."""

from __future__ import annotations

import select
import socket

from tests.chips.loopback import LoopbackServer


class Wire(LoopbackServer):
    """Carries connections to `port` one after the other. lose_at: number of the byte towards the chip that is
    lost, once; cut_at: the one with which everything breaks, for good. carried: bytes towards the chip so far."""

    def __init__(self, port: int, *, lose_at: int | None = None, cut_at: int | None = None) -> None:
        self._far, self._lose, self._cut = port, lose_at, cut_at
        self.carried = 0
        super().__init__()
        self.port = self.tcp_port

    def _talk(self, connection: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", self._far)) as far:
            while self._step(connection, far):
                pass
        if self._cut is not None and self.carried >= self._cut:
            self.close()

    def _step(self, near: socket.socket, far: socket.socket) -> bool:
        try:
            for source in select.select([near, far], [], [])[0]:
                data = source.recv(4096)
                if not data:
                    return False
                (far if source is near else near).sendall(self._harm(data) if source is near else data)
        except OSError:
            return False
        return self._cut is None or self.carried < self._cut

    def _harm(self, data: bytes) -> bytes:
        begin, self.carried = self.carried, self.carried + len(data)
        if self._lose is not None and begin <= self._lose < self.carried:
            return data[: self._lose - begin] + data[self._lose - begin + 1 :]
        if self._cut is not None and self.carried >= self._cut:
            return data[: self._cut - begin]
        return data
