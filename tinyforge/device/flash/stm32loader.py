"""The boot loader in every STM32's ROM over a serial port (ST's AN3155), through stm32loader."""

from __future__ import annotations

import re

from tinyforge.device.flash.command import CommandFlasher, need_port
from tinyforge.device.flash.flasher import FlashJob
from tinyforge.toolchain.process import Completed

_BAUD = "115200"
_CHIP_ID = re.compile(r"Chip id: 0x([0-9A-Fa-f]+)")


class Stm32loaderFlasher(CommandFlasher):
    """Ask which chip it is; then erase, write, read back, start. Read and write protection are never changed."""

    name = program = module = "stm32loader"
    install = "pip install 'tinyforge[flash]'"
    advice = "was the board reset with BOOT0 high, and are TX and RX those of the boot loader (AN2606)"

    def commands(self, job: FlashJob) -> tuple[tuple[str, ...], ...]:
        """The port must be given: a board has several. A boot loader that is awake takes the second start too."""
        origin = f"0x{job.board.flash.origin:08x}"
        port, family = need_port(job, "serial port"), job.board.tools.stm32loader_family
        line = (self.program, "-p", port, "-b", _BAUD, "-f", family)
        return (line, (*line, "-e", "-w", "-v", "-a", origin, "-g", origin, str(job.file(".bin"))))

    def check(self, job: FlashJob, command: tuple[str, ...], done: Completed) -> str:
        """The chip must be the board's; a verified write says so."""
        said = (done.stdout + done.stderr).decode("utf-8", "replace")
        if "-w" in command:
            return "" if "Verification OK" in said else "it does not say that the flash was verified"
        found, wanted = _CHIP_ID.search(said), job.board.tools.stm32_id
        if found and wanted and int(found.group(1), 16) != wanted:
            return f"wrong chip: it answers ID 0x{int(found.group(1), 16):x}, {job.board.mcu} has 0x{wanted:x}"
        return ""
