"""The boot loader in STM32 ROMs (AN3155) behind a pty, with NOR flash: what stm32loader talks to."""

from __future__ import annotations

import os
import select
import threading
import tty
from functools import reduce

from tests.chips.nor_flash import NorFlash, PowerCut

ACK, NACK = b"\x79", b"\x1f"
SYNC, GET, GET_VERSION, GET_ID, READ, GO, WRITE, EXTENDED_ERASE = 0x7F, 0x00, 0x01, 0x02, 0x11, 0x21, 0x31, 0x44
_VERSION = 0x31


class _Restart(Exception):
    """The chip was reset."""


class _Gone(Exception):
    """The other end closed, or the power is off."""


class Stm32BootLoader:
    """Runs in a thread until `close`. protected: read protection, every access to flash is refused. deaf_after: bytes
    after which the line drops everything. started: address of GO."""

    def __init__(self, flash: NorFlash, chip_id: int, *, protected: bool = False) -> None:
        self.flash, self.chip_id, self.protected = flash, chip_id, protected
        self.deaf_after: int | None = None
        self.started: int | None = None
        self.awake = False
        self._stop = self._restart = False
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.port = os.ttyname(self._slave)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread, give the pty back."""
        self._stop = True
        self._thread.join(10)
        os.close(self._master)
        os.close(self._slave)

    def power_up(self) -> None:
        """After a cut: the chip waits for the first byte again."""
        self.flash.operations_left = None
        self.deaf_after = None
        self._restart = True
        while self._restart:
            self._thread.join(0.01)

    def _take(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            if self._stop:
                raise _Gone
            if self._restart:
                raise _Restart
            if select.select([self._master], [], [], 0.05)[0]:
                data += os.read(self._master, count - len(data))
        if self.deaf_after is not None:
            self.deaf_after -= count
            if self.deaf_after < 0:
                return self._take(count)
        return data

    def _say(self, data: bytes) -> None:
        os.write(self._master, data)

    def _run(self) -> None:
        while not self._stop:
            try:
                self._command()
            except _Restart:
                self.awake = self._restart = False
            except PowerCut:
                self.awake = False
                self.deaf_after = 0
            except (_Gone, OSError):
                return

    def _command(self) -> None:
        code = self._take(1)[0]
        if not self.awake:
            self.awake = code == SYNC
            self._say(ACK if self.awake else b"")
            return
        if self._take(1)[0] != code ^ 0xFF:
            self._say(NACK)
            return
        handlers = {
            GET: self._get,
            GET_VERSION: lambda: self._say(ACK + bytes([_VERSION, 0, 0]) + ACK),
            GET_ID: lambda: self._say(ACK + bytes([1, self.chip_id >> 8, self.chip_id & 0xFF]) + ACK),
            READ: self._read,
            GO: self._go,
            WRITE: self._write,
            EXTENDED_ERASE: self._erase,
        }
        handlers.get(code, lambda: self._say(NACK))()

    def _get(self) -> None:
        commands = bytes([GET, GET_VERSION, GET_ID, READ, GO, WRITE, EXTENDED_ERASE])
        self._say(ACK + bytes([len(commands), _VERSION]) + commands + ACK)

    def _checked(self, data: bytes) -> bool:
        """Whether the last byte is the XOR of the others."""
        return reduce(lambda a, b: a ^ b, data[:-1]) == data[-1]

    def _address(self) -> int | None:
        if self.protected:
            self._say(NACK)
            return None
        self._say(ACK)
        data = self._take(5)
        self._say(ACK if self._checked(data) else NACK)
        return int.from_bytes(data[:4], "big") if self._checked(data) else None

    def _read(self) -> None:
        address = self._address()
        if address is None:
            return
        count, check = self._take(2)
        if count ^ 0xFF != check:
            self._say(NACK)
            return
        offset = address - self.flash.origin
        inside = 0 <= offset < len(self.flash.data)
        self._say(ACK + (bytes(self.flash.data[offset : offset + count + 1]) if inside else bytes(count + 1)))

    def _write(self) -> None:
        address = self._address()
        if address is None:
            return
        count = self._take(1)[0] + 1
        data = self._take(count)
        if not self._checked(bytes([count - 1]) + data + self._take(1)):
            self._say(NACK)
            return
        self.flash.program(address - self.flash.origin, data)
        self._say(NACK if self.flash.locked else ACK)

    def _erase(self) -> None:
        if self.protected:
            self._say(NACK)
            return
        self._say(ACK)
        count = int.from_bytes(self._take(2), "big")
        if count != 0xFFFF:
            pages = self._take(2 * (count + 1) + 1)
            del pages
            self._say(NACK)
            return
        self._take(1)
        self.flash.erase_all()
        self._say(NACK if self.flash.locked else ACK)

    def _go(self) -> None:
        self.started = self._address()
