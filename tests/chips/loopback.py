"""A server on this machine for one connection after the other."""

from __future__ import annotations

import socket
import threading


class LoopbackServer:
    """Talks to one connection at a time on ``tcp_port``, from a thread of its own, until it is closed."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.tcp_port = int(self._server.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._server.close()

    def _serve(self) -> None:
        while True:
            try:
                connection = self._server.accept()[0]
            except OSError:
                return
            with connection:
                self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        """Until the other side goes."""
        raise NotImplementedError
