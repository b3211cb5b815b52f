"""The boot loader in every STM32's ROM over a serial port (ST's AN3155), through stm32loader."""

from __future__ import annotations

from tinyforge.device.flash.command import CommandFlasher, need_port
from tinyforge.device.flash.flasher import FlashJob

_BAUD = "115200"


class Stm32loaderFlasher(CommandFlasher):
    """Erase, write, read back, start. Read and write protection are never changed."""

    name = program = module = "stm32loader"
    install = "pip install 'tinyforge[flash]'"
    advice = "was the board reset with BOOT0 high, and are TX and RX those of the boot loader (AN2606)"

    def commands(self, job: FlashJob) -> tuple[tuple[str, ...], ...]:
        """The port must be given: a board has several."""
        origin = f"0x{job.board.flash.origin:08x}"
        port, family = need_port(job, "serial port"), job.board.tools.stm32loader_family
        actions = ("-e", "-w", "-v", "-a", origin, "-g", origin)
        return ((self.program, "-p", port, "-b", _BAUD, "-f", family, *actions, str(job.file(".bin"))),)
