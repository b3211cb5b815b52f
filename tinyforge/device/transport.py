"""Byte streams to a device. One more kind of line is one more class with these three methods."""

from __future__ import annotations

import select
import sys
import time
from typing import Protocol

from tinyforge.errors import DeviceError

_CHUNK = 4096
_OPEN_TIMEOUT_S = 10.0


class Transport(Protocol):
    """A two-way stream of bytes."""

    def write(self, data: bytes) -> None:
        """Send all of `data`."""

    def read(self, timeout_s: float) -> bytes:
        """What arrived, at least one byte; empty after `timeout_s` without any."""

    def close(self) -> None:
        """Give the line back."""


class SerialTransport:
    """Anything pyserial opens: `/dev/ttyACM0`, `COM3`, a pty, `socket://host:port`.

    Raises DeviceError when the port cannot be opened or goes away.
    """

    def __init__(self, url: str, baud: int = 115200) -> None:
        import serial

        self._errors: tuple[type[Exception], ...] = (serial.SerialException, OSError)
        self.url = url
        deadline = time.monotonic() + (_OPEN_TIMEOUT_S if url.startswith("socket://") else 0.0)
        while True:
            try:
                self._port = serial.serial_for_url(url, baudrate=baud, timeout=0, write_timeout=30)
                return
            except self._errors as error:
                if time.monotonic() >= deadline:
                    raise DeviceError(f"{url} cannot be opened: {error}; is the board connected?") from error
                time.sleep(0.05)

    def write(self, data: bytes) -> None:
        """Send all of `data`."""
        try:
            self._port.write(data)
            self._port.flush()
        except self._errors as error:
            raise DeviceError(f"{self.url}: the line broke while sending: {error}") from error

    def read(self, timeout_s: float) -> bytes:
        """What arrived within `timeout_s`."""
        try:
            if not self._wait(timeout_s):
                return b""
            return bytes(self._port.read(_CHUNK))
        except self._errors as error:
            raise DeviceError(f"{self.url}: the line broke while receiving: {error}") from error

    def _wait(self, timeout_s: float) -> bool:
        """Whether something can be read."""
        if sys.platform != "win32":
            return bool(select.select([self._port.fileno()], [], [], timeout_s)[0])
        deadline = time.monotonic() + timeout_s
        while not self._port.in_waiting:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.001)
        return True

    def close(self) -> None:
        """Close the port."""
        # pyserial forgets to close a socket whose other end is gone already.
        raw = getattr(self._port, "_socket", None)
        self._port.close()
        if raw is not None:
            raw.close()
