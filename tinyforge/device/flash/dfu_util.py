"""dfu-util: the USB boot loader in STM32 ROMs (DfuSe)."""

from __future__ import annotations

from pathlib import Path

from tinyforge.device.flash.command import CommandFlasher
from tinyforge.device.flash.flasher import FlashJob
from tinyforge.device.flash.images import flash_content
from tinyforge.device.flash.pyocd import compare
from tinyforge.toolchain.process import Completed


class DfuUtilFlasher(CommandFlasher):
    """Download, then upload and compare. Alternate setting 0 is the main flash: option bytes are another one."""

    name = program = "dfu-util"
    install = "apt install dfu-util"
    advice = "was the board reset with BOOT0 high and the USB socket of the chip itself connected"

    def commands(self, job: FlashJob) -> tuple[tuple[str, ...], ...]:
        """The board must be reset afterwards."""
        origin, size = f"0x{job.board.flash.origin:08x}", len(flash_content(job.firmware.image().segments, job.board))
        where = ("-d", job.board.tools.dfu_id, "-a", "0", *(("-S", job.probe) if job.probe else ()))
        return (
            (self.program, *where, "-s", origin, "-D", str(job.file(".bin"))),
            (self.program, *where, "-s", f"{origin}:{size}", "-U", str(_read_back(job))),
        )

    def prepare(self, job: FlashJob) -> None:
        """dfu-util does not overwrite files."""
        super().prepare(job)
        _read_back(job).unlink(missing_ok=True)

    def check(self, job: FlashJob, command: tuple[str, ...], done: Completed) -> str:
        """After the upload the two files must be equal."""
        del done
        return compare(job.file(".bin"), _read_back(job)) if "-U" in command else ""


def _read_back(job: FlashJob) -> Path:
    return job.file(".readback.bin")
