"""picotool: RP2040 and RP2350 in their USB boot loader."""

from __future__ import annotations

from tinyforge.device.flash.command import CommandFlasher
from tinyforge.device.flash.flasher import FlashJob
from tinyforge.device.flash.images import flash_content, uf2_file


class PicotoolFlasher(CommandFlasher):
    """Load, verify, start."""

    name = program = "picotool"
    install = "brew install picotool, or see https://github.com/raspberrypi/picotool/releases"
    advice = "hold BOOTSEL while connecting the board"

    def commands(self, job: FlashJob) -> tuple[tuple[str, ...], ...]:
        """--ser picks one of several."""
        probe = ("--ser", job.probe) if job.probe else ()
        return ((self.program, "load", "-v", "-x", str(job.file(".uf2")), *probe),)

    def prepare(self, job: FlashJob) -> None:
        """A UF2 file."""
        content = flash_content(job.firmware.image().segments, job.board)
        path = job.file(".uf2")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(uf2_file(content, job.board.flash.origin, job.board.tools.uf2_family))
