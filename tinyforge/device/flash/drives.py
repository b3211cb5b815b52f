"""Boards that appear as a drive: finding it, and copying a file to it as a whole."""

from __future__ import annotations

import os
import string
import sys
from collections.abc import Iterator
from pathlib import Path

from tinyforge.device.flash.flasher import FlashJob
from tinyforge.errors import DeviceError


def mounted_drives() -> Iterator[Path]:
    """Folders where removable drives appear on this system."""
    if sys.platform == "win32":
        yield from (Path(f"{letter}:\\") for letter in string.ascii_uppercase)
        return
    user = os.environ.get("USER", "")
    for parent in (Path("/Volumes"), Path("/media") / user, Path("/run/media") / user, Path("/media"), Path("/mnt")):
        try:
            yield from sorted(path for path in parent.iterdir() if path.is_dir())
        except OSError:
            continue


def read_text(path: Path) -> str:
    """The file's text, empty where it cannot be read: drives of boards come and go."""
    try:
        return path.read_bytes()[:4096].decode("utf-8", "replace")
    except OSError:
        return ""


def copy_command(job: FlashJob, suffix: str, drive: Path | None) -> tuple[str, ...]:
    """The copy in words; the board's label stands for a drive that is not mounted."""
    return "cp", str(job.file(suffix)), str(drive if drive is not None else f"<drive {job.board.tools.volume}>")


def copy_to_drive(data: bytes, drive: Path, name: str) -> None:
    """Write `data` and push it out of the system's buffers. Raises DeviceError where the drive refuses or goes away.

    Boot loaders take the blocks as they come and may leave before the file is closed: that is no error once all
    bytes were written.
    """
    written = 0
    try:
        with (drive / name).open("wb", buffering=0) as file:
            while written < len(data):
                written += file.write(data[written : written + (64 << 10)])
            os.fsync(file.fileno())
    except OSError as error:
        if written < len(data):
            raise DeviceError(
                f"{drive} went away or refused after {written:,} of {len(data):,} B: {error}; "
                "connect the board again in its boot loader and repeat"
            ) from error
