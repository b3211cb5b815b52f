"""OpenOCD: one command that writes, verifies and resets; an STM32 is asked for its ID first."""

from __future__ import annotations

import re

from tinyforge.device.flash.command import CommandFlasher
from tinyforge.device.flash.flasher import FlashJob
from tinyforge.device.flash.stm32_id import id_register, other_chip
from tinyforge.toolchain.process import Completed

# Scripts for a chip rather than a board name no probe.
_DEFAULT_INTERFACE = "interface/cmsis-dap.cfg"
_WORD_READ = re.compile(r"^0x[0-9a-f]{8}: ([0-9a-f]{8})\b", re.MULTILINE)


class OpenocdFlasher(CommandFlasher):
    """`mdw` of the ID register (STM32), then `program FILE verify reset exit`, with the board's own script."""

    name = program = "openocd"
    install = "apt install openocd"
    advice = "is the probe connected, is its udev rule there, is no other debugger using it"

    def commands(self, job: FlashJob) -> tuple[tuple[str, ...], ...]:
        """A script for a chip (`target/...`) is preceded by that of a CMSIS-DAP probe."""
        config = job.board.tools.openocd_config
        scripts = [_DEFAULT_INTERFACE, config] if config.startswith("target/") else [config]
        words = [self.program, *(word for script in scripts for word in ("-f", script))]
        if job.probe:
            words += ["-c", f"adapter serial {job.probe}"]
        program = (*words, "-c", f"program {{{job.firmware.elf.as_posix()}}} verify reset exit")
        if not job.board.tools.stm32_id:
            return (program,)
        return (*words, "-c", "init", "-c", f"mdw 0x{id_register(job.board):08x}", "-c", "shutdown"), program

    def prepare(self, job: FlashJob) -> None:
        """It reads the ELF itself."""

    def check(self, job: FlashJob, command: tuple[str, ...], done: Completed) -> str:
        """The chip must be the board's."""
        return other_chip(job.board, _WORD_READ, done) if command[-1] == "shutdown" else ""
