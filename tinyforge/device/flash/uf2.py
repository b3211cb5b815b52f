"""UF2: a file copied to the drive that a boot loader shows (RP2040, RP2350, many nRF52840 boards)."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from tinyforge.device.flash.drives import copy_command, copy_to_drive, mounted_drives, read_text
from tinyforge.device.flash.flasher import FlashJob, FlashReport, other_ways
from tinyforge.device.flash.images import flash_content, uf2_file
from tinyforge.errors import DeviceError

INFO = "INFO_UF2.TXT"
# The drive goes away once the last block is programmed.
_PATIENCE_S = 10.0
_LOOK_S = 0.05


@dataclass(frozen=True, slots=True)
class Uf2Flasher:
    """Copies a UF2 file. The boot loader checks every block's magic numbers and family, and starts the program when all
    came: its drive then goes away. It offers no way to read back."""

    name: str = "uf2"
    install: str = ""
    patience_s: float = _PATIENCE_S

    def missing(self, job: FlashJob) -> str:
        """No program is needed; a drive that is not there is what `flash` reports."""
        del job
        return ""

    def commands(self, job: FlashJob) -> tuple[tuple[str, ...], ...]:
        """A copy."""
        return (copy_command(job, ".uf2", find_drive(job)),)

    def flash(self, job: FlashJob) -> FlashReport:
        """Write the file, copy it, wait for the drive to go. Raises DeviceError without a drive, or where it stops."""
        drive = find_drive(job)
        if drive is None:
            label = job.board.tools.volume or job.board.mcu
            raise DeviceError(f"no drive with {INFO} of {label} is mounted; {_how(job)}; {other_ways(job)}")
        content = flash_content(job.firmware.image().segments, job.board)
        data = uf2_file(content, job.board.flash.origin, job.board.tools.uf2_family)
        path = job.file(".uf2")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        commands = self.commands(job)
        copy_to_drive(data, drive, path.name)
        if not self._goes_away(drive):
            raise DeviceError(
                f"{drive} is still there: the boot loader waits for blocks that were lost or are not its own; "
                f"{_how(job)} and repeat; {other_ways(job)}"
            )
        return FlashReport(self.name, job.board.name, str(drive), len(content), False, commands)

    def _goes_away(self, drive: Path) -> bool:
        """Whether the boot loader leaves, as it does when all blocks came."""
        deadline = time.monotonic() + self.patience_s
        while (drive / INFO).exists():
            if time.monotonic() >= deadline:
                return False
            time.sleep(_LOOK_S)
        return True


def _how(job: FlashJob) -> str:
    if job.board.mcu.startswith("RP"):
        return "hold BOOTSEL while connecting the board, or name the drive with --port"
    return "press the reset button twice quickly, or name the drive with --port"


def find_drive(job: FlashJob) -> Path | None:
    """The named drive, or the mounted one whose INFO_UF2.TXT belongs to this board. Raises DeviceError for a named one
    that is not in a boot loader or is another chip's."""
    if job.port is not None:
        named = Path(job.port)
        told = read_text(named / INFO)
        if not told:
            raise DeviceError(f"{named} has no {INFO}: it is no UF2 boot loader's drive; {_how(job)}")
        if not _fits(told, job):
            raise DeviceError(f"{named} is the drive of another chip ({_board_id(told)}), not of {job.board.mcu}")
        return named
    fitting = [drive for drive in mounted_drives() if _fits(read_text(drive / INFO), job)]
    if len(fitting) > 1:
        raise DeviceError(f"several boards are waiting ({', '.join(map(str, fitting))}); choose one with --port")
    return fitting[0] if fitting else None


def _board_id(told: str) -> str:
    for line in told.splitlines():
        key, _, value = line.partition(":")
        if key.strip().lower() == "board-id":
            return value.strip()
    return "no Board-ID"


def _fits(told: str, job: FlashJob) -> bool:
    """Whether the boot loader's own words name the board's drive or chip."""
    identity = _board_id(told).lower()
    return bool(told) and any(word.lower() in identity for word in (job.board.tools.volume, job.board.mcu) if word)
