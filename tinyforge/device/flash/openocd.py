"""OpenOCD: one command that writes, verifies and resets."""

from __future__ import annotations

from tinyforge.device.flash.command import CommandFlasher
from tinyforge.device.flash.flasher import FlashJob

# Scripts for a chip rather than a board name no probe.
_DEFAULT_INTERFACE = "interface/cmsis-dap.cfg"


class OpenocdFlasher(CommandFlasher):
    """`program FILE verify reset exit`, with the board's own script."""

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
        words += ["-c", f"program {{{job.firmware.elf.as_posix()}}} verify reset exit"]
        return (tuple(words),)

    def prepare(self, job: FlashJob) -> None:
        """It reads the ELF itself."""
