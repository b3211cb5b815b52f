"""esptool: the boot loader in Espressif's ROMs over a serial port; it verifies by checksum."""

from __future__ import annotations

from tinyforge.device.flash.command import CommandFlasher, need_port
from tinyforge.device.flash.flasher import FlashJob


class EsptoolFlasher(CommandFlasher):
    """Writes the image at the begin of the flash; esptool compares an MD5 the chip computes."""

    name = program = module = "esptool"
    install = "pip install 'tinyforge[flash]'"
    advice = "hold BOOT, press RESET, and try again; is it the right --port"

    def commands(self, job: FlashJob) -> tuple[tuple[str, ...], ...]:
        """The chip is named, so that esptool refuses another one."""
        port = need_port(job, "serial port")
        return (
            (
                self.program,
                "--chip",
                job.board.tools.esptool_chip,
                "--port",
                port,
                "write-flash",
                "0x0",
                str(job.file(".bin")),
            ),
        )
