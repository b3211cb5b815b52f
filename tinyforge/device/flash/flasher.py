"""What a flashing method is: the exact commands it would run, and running them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tinyforge.codegen.build_info import metadata_dir
from tinyforge.target import Board
from tinyforge.toolchain.firmware import Firmware


@dataclass(frozen=True, slots=True)
class FlashJob:
    """What to write and to which of several boards.

    probe: serial number of the debug probe or boot loader, None for the only one. port: serial port, GDB server
    (`host:port`) or mounted drive, for the methods that go through one.
    """

    firmware: Firmware
    probe: str | None = None
    port: str | None = None

    @property
    def board(self) -> Board:
        """The board the firmware was built for."""
        return self.firmware.board

    @property
    def build_dir(self) -> Path:
        """OUT of OUT/.tinyforge/firmware/<variant>/<name>.elf."""
        return self.firmware.elf.parents[3]

    def file(self, suffix: str) -> Path:
        """Where this job's image in another format goes: `.bin`, `.uf2`, ..."""
        folder = metadata_dir(self.build_dir) / "board" / self.board.name
        return folder / f"{self.firmware.info.name}{suffix}"


@dataclass(frozen=True, slots=True)
class FlashReport:
    """What was written. target: where to, in words; image_bytes: flash taken; verified: read back and equal, by the
    tool or by us. commands: what was run, or would be (dry run)."""

    method: str
    board: str
    target: str
    image_bytes: int
    verified: bool
    commands: tuple[tuple[str, ...], ...] = field(default=())


def other_ways(job: FlashJob) -> str:
    """The end of an error: what else the board offers."""
    return f"other ways: tinyforge flash --method {'|'.join(job.board.flashers)}"


class Flasher(Protocol):
    """Writes a firmware image to a board and verifies it. None ever touches option bytes or fuses."""

    @property
    def name(self) -> str:
        """Name in board files."""

    @property
    def install(self) -> str:
        """The one line that installs its tool; empty where none is needed."""

    def missing(self, job: FlashJob) -> str:
        """The program that is not there, in words; empty where it is, or none is needed."""

    def commands(self, job: FlashJob) -> tuple[tuple[str, ...], ...]:
        """What `flash` runs, as it runs it."""

    def flash(self, job: FlashJob) -> FlashReport:
        """Raises ToolMissing without its tool, DeviceError when the board does not take the image."""
