"""ST-Link's drive: a binary file copied to it is programmed by the probe."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from tinyforge.device.flash.drives import copy_command, copy_to_drive, mounted_drives, read_text
from tinyforge.device.flash.flasher import FlashJob, FlashReport, other_ways
from tinyforge.device.flash.images import flash_content
from tinyforge.errors import DeviceError

_DETAILS = "DETAILS.TXT"
_FAILURE = "FAIL.TXT"
# The probe's firmwares take some seconds to show the drive again.
_PATIENCE_S = 8.0
_LOOK_S = 0.05
_LABELS = ("NODE_", "NOD_", "DIS_")


@dataclass(frozen=True, slots=True)
class StlinkDriveFlasher:
    """Copies a .bin. The probe verifies while it programs, and leaves FAIL.TXT on the drive when it could not."""

    name: str = "stlink-msd"
    install: str = ""
    patience_s: float = _PATIENCE_S

    def missing(self, job: FlashJob) -> str:
        """No program is needed; a drive that is not there is what `flash` reports."""
        del job
        return ""

    def commands(self, job: FlashJob) -> tuple[tuple[str, ...], ...]:
        """A copy."""
        return (copy_command(job, ".bin", find_drive(job)),)

    def flash(self, job: FlashJob) -> FlashReport:
        """Raises DeviceError without a drive, or with what FAIL.TXT says."""
        drive = find_drive(job)
        if drive is None:
            label = job.board.tools.volume
            raise DeviceError(
                f"no ST-Link drive {label} is mounted; connect the board, or name it with --port; {other_ways(job)}"
            )
        content = flash_content(job.firmware.image().segments, job.board)
        path = job.file(".bin")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        commands = self.commands(job)
        copy_to_drive(content, drive, path.name)
        self._watch(drive, path.name, job)
        return FlashReport(self.name, job.board.name, str(drive), len(content), False, commands)

    def _watch(self, drive: Path, copied: str, job: FlashJob) -> None:
        """The drive comes again after programming, without the file, and with FAIL.TXT where it went wrong."""
        deadline = time.monotonic() + self.patience_s
        there = False
        while time.monotonic() < deadline:
            there = (drive / _DETAILS).is_file()
            taken = there and not (drive / copied).exists()
            said = read_text(drive / _FAILURE).strip()
            if said:
                raise DeviceError(
                    f"the ST-Link could not write {job.board.name}: {said}; unplug and connect it again, update its "
                    "firmware (docs/flashing/troubleshooting.md), or use --method openocd"
                )
            if taken:
                return
            time.sleep(_LOOK_S)
        if not there:
            raise DeviceError(
                f"{drive} did not come back: was {job.board.name} unplugged? Connect it again and repeat; where drives "
                "are not mounted by themselves, tinyforge run --on board tells what the board holds"
            )


def find_drive(job: FlashJob) -> Path | None:
    """The named drive, or the mounted one with the board's label. Raises DeviceError for a named one that is none."""
    if job.port is not None:
        named = Path(job.port)
        if not (named / _DETAILS).is_file():
            raise DeviceError(f"{named} has no {_DETAILS}: it is no ST-Link drive")
        label = job.board.tools.volume
        if label and named.name.startswith(_LABELS) and not named.name.startswith(label):
            raise DeviceError(f"{named} is the drive of another board, that of {job.board.name} is {label}")
        return named
    label = job.board.tools.volume
    fitting = [drive for drive in mounted_drives() if drive.name == label and (drive / _DETAILS).is_file()]
    if len(fitting) > 1:
        raise DeviceError(f"several boards are connected ({', '.join(map(str, fitting))}); choose one with --port")
    return fitting[0] if fitting else None
