"""pyOCD: CMSIS-DAP, ST-Link and J-Link probes from Python; what was written is read back and compared."""

from __future__ import annotations

import re
from pathlib import Path

from tinyforge.device.flash.command import CommandFlasher
from tinyforge.device.flash.flasher import FlashJob
from tinyforge.device.flash.images import flash_content
from tinyforge.device.flash.stm32_id import id_register, other_chip
from tinyforge.toolchain.process import Completed

_WORD_READ = re.compile(r"^[0-9a-fA-F]{8}:\s+([0-9a-fA-F]{8})\b", re.MULTILINE)


class PyocdFlasher(CommandFlasher):
    """`pyocd load`, then the same range saved to a file, then a reset. An STM32 is asked for its ID first."""

    name = program = module = "pyocd"
    install = "pip install 'tinyforge[flash]'"
    advice = "is the probe connected (pyocd list), is its driver or udev rule there (docs/flashing/troubleshooting.md)"

    def commands(self, job: FlashJob) -> tuple[tuple[str, ...], ...]:
        """Ask which chip it is (STM32), load, read back, reset."""
        where = ["-t", job.board.tools.pyocd_target, *(["-u", job.probe] if job.probe else [])]
        image, back = job.file(".bin"), _read_back(job)
        origin = f"0x{job.board.flash.origin:08x}"
        size = len(flash_content(job.firmware.image().segments, job.board))
        save = f"savemem {origin} {size} {back.as_posix()}"
        return (
            *_identify(self.program, where, job),
            (self.program, "load", *where, "--base-address", origin, "--no-reset", str(image)),
            (self.program, "commander", *where, "-c", save, "-c", "reset"),
        )

    def prepare(self, job: FlashJob) -> None:
        """No old read-back may be taken for a new one."""
        super().prepare(job)
        _read_back(job).unlink(missing_ok=True)

    def check(self, job: FlashJob, command: tuple[str, ...], done: Completed) -> str:
        """The chip must be the board's; after the last command the read-back must equal the image."""
        if command[-1] == _ask(job):
            return other_chip(job.board, _WORD_READ, done)
        return compare(job.file(".bin"), _read_back(job)) if "commander" in command else ""


def _ask(job: FlashJob) -> str:
    """pyOCD's command that reads the chip's ID register."""
    return f"read32 0x{id_register(job.board):08x}"


def _identify(program: str, where: list[str], job: FlashJob) -> tuple[tuple[str, ...], ...]:
    return ((program, "commander", *where, "-c", _ask(job)),) if job.board.tools.stm32_id else ()


def _read_back(job: FlashJob) -> Path:
    return job.file(".readback.bin")


def compare(written: Path, read: Path) -> str:
    """Where two files differ first, in words; empty where they are equal."""
    if not read.is_file():
        return "nothing could be read back"
    expected, found = written.read_bytes(), read.read_bytes()
    if expected == found:
        return ""
    at = next((i for i, pair in enumerate(zip(expected, found, strict=False)) if pair[0] != pair[1]), len(found))
    return (
        f"what was read back differs from the image at offset 0x{at:x}: flash is locked, worn out, or was interrupted"
    )
