"""SEGGER's J-Link Commander."""

from __future__ import annotations

from tinyforge.device.flash.command import CommandFlasher
from tinyforge.device.flash.flasher import FlashJob


class JlinkFlasher(CommandFlasher):
    """A command file: load, verify, reset, go."""

    name = "jlink"
    program = "JLinkExe"
    install = "download it from https://www.segger.com/downloads/jlink/ (it is not in any registry)"
    advice = "is the probe connected, and does its firmware match the installed software"

    def commands(self, job: FlashJob) -> tuple[tuple[str, ...], ...]:
        """It stops at the first command that fails."""
        device = ("-device", job.board.tools.jlink_device, "-if", "SWD", "-speed", "4000", "-autoconnect", "1")
        probe = ("-SelectEmuBySN", job.probe) if job.probe else ()
        return (
            (
                self.program,
                *device,
                *probe,
                "-NoGui",
                "1",
                "-ExitOnError",
                "1",
                "-CommandFile",
                str(job.file(".jlink")),
            ),
        )

    def prepare(self, job: FlashJob) -> None:
        """The image, and the file of commands."""
        super().prepare(job)
        image, origin = job.file(".bin"), f"0x{job.board.flash.origin:08x}"
        steps = ["r", f"loadbin {image}, {origin}", f"verifybin {image}, {origin}", "r", "g", "q"]
        job.file(".jlink").write_text("\n".join(steps) + "\n", encoding="utf-8")
