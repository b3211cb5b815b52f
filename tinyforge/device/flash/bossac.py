"""bossac: the SAM-BA boot loader of Arduino boards."""

from __future__ import annotations

from tinyforge.device.flash.command import CommandFlasher, need_port
from tinyforge.device.flash.flasher import FlashJob


class BossacFlasher(CommandFlasher):
    """Erase, write, verify, reset; addresses count from behind the boot loader."""

    name = program = "bossac"
    install = "apt install bossa-cli"
    advice = "press the reset button twice quickly: the boot loader then shows another serial port"

    def commands(self, job: FlashJob) -> tuple[tuple[str, ...], ...]:
        """The port must be given."""
        port = need_port(job, "serial port")
        return ((self.program, f"--port={port}", "-e", "-w", "-v", str(job.file(".bin")), "-R"),)
