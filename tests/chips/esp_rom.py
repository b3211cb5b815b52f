"""The boot loader in the ESP32-C3's ROM on a TCP port, and the loader esptool puts into its RAM, as far as writing
flash needs them. Written from Espressif's serial protocol page; SLIP frames, one request, one response.
"""

from __future__ import annotations

import functools
import hashlib
import operator
import socket
import struct
import zlib
from collections.abc import Callable

from tests.chips.loopback import LoopbackServer
from tests.chips.nor_flash import NorFlash, PowerCut

END, ESC, ESC_END, ESC_ESC = 0xC0, 0xDB, 0xDC, 0xDD
BEGIN, DATA, FINISH, MEM_BEGIN, MEM_END, MEM_DATA, SYNC = 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08
WRITE_REG, READ_REG, PARAMS, ATTACH, BAUD = 0x09, 0x0A, 0x0B, 0x0D, 0x0F
DEFL_BEGIN, DEFL_DATA, DEFL_END, MD5, SECURITY_INFO = 0x10, 0x11, 0x12, 0x13, 0x14
SPI_W0 = 0x60002058
_FLASH_ID = 0x001640EF  # a 4 MiB chip
SECTOR = 4096
_BAD_CHECKSUM = 7


class EspRom(LoopbackServer):
    """One chip. chip_id: 5 is the C3. stub: whether the loader in RAM answers now."""

    def __init__(self, flash: NorFlash, chip_id: int = 5) -> None:
        self.flash, self.chip_id = flash, chip_id
        self.stub = self.gone = False
        self.offset = 0
        self.inflate = zlib.decompressobj()
        super().__init__()
        self.port = f"socket://127.0.0.1:{self.tcp_port}"

    def power_up(self) -> None:
        """The chip is back in its ROM."""
        self.stub = self.gone = False
        self.flash.operations_left = None

    def _talk(self, connection: socket.socket) -> None:
        frame: bytearray | None = None
        escaped = False
        while data := self._receive(connection):
            for byte in data:
                if byte == END:
                    if frame:
                        self._answer(bytes(frame), connection)
                    frame = bytearray()
                elif frame is not None:
                    if escaped:
                        byte = {ESC_END: END, ESC_ESC: ESC}.get(byte, byte)
                        escaped = False
                    elif byte == ESC:
                        escaped = True
                        continue
                    frame.append(byte)

    @staticmethod
    def _receive(connection: socket.socket) -> bytes:
        try:
            return connection.recv(4096)
        except OSError:
            return b""

    def _answer(self, frame: bytes, connection: socket.socket) -> None:
        if self.gone or len(frame) < 8 or frame[0] != 0:
            return
        command, value = frame[1], 0
        body, error = b"", 0
        try:
            value, body, error = self._run(command, frame[8:], struct.unpack("<I", frame[4:8])[0])
        except PowerCut:
            self.gone = True
            return
        status = bytes([1, error]) if error else bytes(2)
        reply = body + status + (b"" if self.stub else bytes(2))
        # The ROM answers a SYNC eight times, and unlike the loader in RAM with a value that is not 0.
        for _ in range(8 if command == SYNC else 1):
            self._send(struct.pack("<BBHI", 1, command, len(reply), value) + reply, connection)
        if command == MEM_END:
            self.stub = True
            self._send(b"OHAI", connection)

    @staticmethod
    def _send(frame: bytes, connection: socket.socket) -> None:
        escaped = frame.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc")
        connection.sendall(b"\xc0" + escaped + b"\xc0")

    def _run(self, command: int, body: bytes, check: int) -> tuple[int, bytes, int]:
        """(value, body, error) of one command."""
        words = struct.unpack(f"<{len(body) // 4}I", body[: len(body) // 4 * 4])
        handlers: dict[int, Callable[[], tuple[int, bytes, int]]] = {
            READ_REG: lambda: (_FLASH_ID if words[0] == SPI_W0 else 0, b"", 0),
            SECURITY_INFO: lambda: (0, struct.pack("<IB7BII", 0, 0, *[0] * 7, self.chip_id, 0), 0),
            BEGIN: lambda: self._begin(words[0], words[3]),
            DEFL_BEGIN: lambda: self._begin(words[0], words[3]),
            MEM_DATA: lambda: (0, b"", 0 if _checksum(body[16:]) == check & 0xFF else _BAD_CHECKSUM),
            DATA: lambda: self._data(body[16:], check, lambda data: data),
            DEFL_DATA: lambda: self._data(body[16:], check, self.inflate.decompress),
            MD5: lambda: (0, self._md5(words[0], words[1]), 0),
        }
        known = (WRITE_REG, PARAMS, ATTACH, BAUD, MEM_BEGIN, MEM_END, FINISH, DEFL_END)
        if command == SYNC:
            return 0 if self.stub else 0x20120707, b"", 0
        if command in handlers:
            return handlers[command]()
        return 0, b"", 0 if command in known else 5

    def _begin(self, size: int, offset: int) -> tuple[int, bytes, int]:
        if self.flash.locked:
            return 0, b"", 8
        self.offset, self.inflate = offset, zlib.decompressobj()
        for at in range(offset, offset + size, SECTOR):
            self.flash.erase(at)
        return 0, b"", 0

    def _data(self, data: bytes, check: int, expand: Callable[[bytes], bytes]) -> tuple[int, bytes, int]:
        if _checksum(data) != check & 0xFF:
            return 0, b"", _BAD_CHECKSUM
        written = expand(data)
        self.flash.program(self.offset, written)
        self.offset += len(written)
        return 0, b"", 0

    def _md5(self, offset: int, size: int) -> bytes:
        digest = hashlib.md5(bytes(self.flash.data[offset : offset + size]))
        return digest.digest() if self.stub else digest.hexdigest().encode()


def _checksum(data: bytes) -> int:
    """Of a packet's data: all bytes and 0xEF in exclusive or."""
    return functools.reduce(operator.xor, data, 0xEF)
