"""Boards that appear as a drive: a copy to it streams into the boot loader, block by block.

The file a board waits for is a FIFO, so that the host's copy is taken as it comes and breaks when the board goes away.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from tests.chips.nor_flash import NorFlash, PowerCut

UF2_INFO, STLINK_INFO, STLINK_FAILURE = "INFO_UF2.TXT", "DETAILS.TXT", "FAIL.TXT"
_UF2_BLOCK, _PAGE = 512, 1024
_UF2_FAMILY_FLAG = 0x2000
_F_SETPIPE_SZ = 1031


class Drive:
    """A drive with one file that can be written. A cut of the power ends the copy and takes the drive away."""

    info: str

    def __init__(self, folder: Path, file_name: str, flash: NorFlash) -> None:
        self.folder, self.flash = folder, flash
        self._file = folder / file_name
        folder.mkdir(exist_ok=True)

    def plug(self, told: str) -> None:
        """Connect the board: the drive appears, told being its information file's words."""
        self.flash.operations_left = None
        for name in (STLINK_FAILURE, self._file.name):
            (self.folder / name).unlink(missing_ok=True)
        os.mkfifo(self._file)
        pipe = os.open(self._file, os.O_RDONLY | os.O_NONBLOCK)
        # As little as a pipe can hold: the host must feel the board go away.
        fcntl.fcntl(pipe, _F_SETPIPE_SZ, 4096)
        os.set_blocking(pipe, True)
        (self.folder / self.info).write_text(told)
        self._thread = threading.Thread(target=self._take, args=(pipe,), daemon=True)
        self._thread.start()

    def unplug(self) -> None:
        """Wait for the board to have done what it does, then take the drive away."""
        with contextlib.suppress(OSError):  # where nothing was copied the board gets an empty file
            os.close(os.open(self._file, os.O_WRONLY | os.O_NONBLOCK))
        self._thread.join(30)
        self._leave()

    def _take(self, pipe: int) -> None:
        select.select([pipe], [], [])  # until somebody copies
        with os.fdopen(pipe, "rb", buffering=0) as file:
            try:
                self.receive(file)
            except PowerCut:
                self._leave()

    def _leave(self) -> None:
        (self.folder / self.info).unlink(missing_ok=True)
        self._file.unlink(missing_ok=True)

    def receive(self, file: BinaryIO) -> None:
        """What the boot loader does with the bytes of one copy."""
        raise NotImplementedError


class Uf2Drive(Drive):
    """The UF2 boot loader of RP2040 and RP2350: takes blocks of its own family, erases sectors as they are first
    touched, and goes away when all blocks came. lose: numbers of blocks that never arrive."""

    info = UF2_INFO

    def __init__(self, folder: Path, file_name: str, flash: NorFlash, family: int) -> None:
        super().__init__(folder, file_name, flash)
        self.family = family
        self.lose: frozenset[int] = frozenset()

    def receive(self, file: BinaryIO) -> None:
        seen: set[int] = set()
        erased: set[int] = set()
        while block := _exactly(file.read, _UF2_BLOCK):
            *magic, flags, address, size, number, count, family = struct.unpack_from("<8I", block)
            if magic != [0x0A324655, 0x9E5D5157] or struct.unpack_from("<I", block, 508) != (0x0AB16F30,):
                continue
            if number in self.lose or not flags & _UF2_FAMILY_FLAG or family != self.family:
                continue
            offset = address - self.flash.origin
            if offset // 4096 not in erased:
                self.flash.erase(offset)
                erased.add(offset // 4096)
            self.flash.program(offset, block[32 : 32 + size])
            seen.add(number)
            if len(seen) == count:
                self._leave()


class StlinkDrive(Drive):
    """An ST-Link's drive: programs a binary file at the flash's origin, sector by sector, and says on the drive where
    it could not."""

    info = STLINK_INFO

    def receive(self, file: BinaryIO) -> None:
        at, erased_to = 0, 0
        while page := _exactly(file.read, _PAGE):
            if at + len(page) > erased_to:
                ((begin, size),) = self.flash.geometry.sectors_of(at, at + 1)
                self.flash.erase(begin)
                erased_to = begin + size
            self.flash.program(at, page)
            at += len(page)
        if self.flash.locked:
            (self.folder / STLINK_FAILURE).write_text("The flash of the target is locked\n")
        self._file.unlink(missing_ok=True)


def _exactly(read: Callable[[int], bytes], count: int) -> bytes:
    """`count` bytes of a pipe, less only at its end."""
    data = b""
    while len(data) < count and (more := read(count - len(data))):
        data += more
    return data
