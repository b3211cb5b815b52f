"""pyOCD: CMSIS-DAP, ST-Link and J-Link probes from Python; what was written is read back and compared."""

from __future__ import annotations

from pathlib import Path

from tinyforge.device.flash.command import CommandFlasher
from tinyforge.device.flash.flasher import FlashJob
from tinyforge.device.flash.images import flash_content
from tinyforge.toolchain.process import Completed


class PyocdFlasher(CommandFlasher):
    """`pyocd load`, then the same range saved to a file, then a reset."""

    name = program = module = "pyocd"
    install = "pip install 'tinyforge[flash]'"
    advice = "is the probe connected (pyocd list), is its driver or udev rule there (docs/flashing/troubleshooting.md)"

    def commands(self, job: FlashJob) -> tuple[tuple[str, ...], ...]:
        """Load, read back, reset."""
        where = ["-t", job.board.tools.pyocd_target, *(["-u", job.probe] if job.probe else [])]
        image, back = job.file(".bin"), _read_back(job)
        origin = f"0x{job.board.flash.origin:08x}"
        size = len(flash_content(job.firmware.image().segments, job.board))
        save = f"savemem {origin} {size} {back.as_posix()}"
        return (
            (self.program, "load", *where, "--base-address", origin, "--no-reset", str(image)),
            (self.program, "commander", *where, "-c", save, "-c", "reset"),
        )

    def prepare(self, job: FlashJob) -> None:
        """No old read-back may be taken for a new one."""
        super().prepare(job)
        _read_back(job).unlink(missing_ok=True)

    def check(self, job: FlashJob, command: tuple[str, ...], done: Completed) -> str:
        """After the second command the read-back must equal the image."""
        del done
        return compare(job.file(".bin"), _read_back(job)) if "commander" in command else ""


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
