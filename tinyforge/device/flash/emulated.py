"""The flash memory of an emulated board: a file that holds what the chip would hold."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from tinyforge.codegen.build_info import metadata_dir
from tinyforge.device.flash.flasher import FlashJob, FlashReport
from tinyforge.device.flash.images import flash_content
from tinyforge.errors import DeviceError
from tinyforge.target import Board


def flash_file(build_dir: Path, board: Board) -> Path:
    """Where the flash of `board` lies for a build; the file ends where everything behind is erased."""
    return metadata_dir(build_dir) / "board" / board.name / "flash.bin"


def flashed_compiler(build_dir: Path, board: Board) -> str:
    """Compiler of what was flashed last, empty where nobody knows."""
    try:
        noted = json.loads(flash_file(build_dir, board).with_suffix(".json").read_text(encoding="utf-8"))
        return str(noted["compiler"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


@dataclass(frozen=True, slots=True)
class EmulatedFlasher:
    """Writes flash files."""

    name: str = "emulated"
    install: str = ""

    def missing(self, job: FlashJob) -> str:
        """Nothing is needed."""
        del job
        return ""

    def commands(self, job: FlashJob) -> tuple[tuple[str, ...], ...]:
        """One file is written."""
        return (("write", str(flash_file(job.build_dir, job.board))),)

    def flash(self, job: FlashJob) -> FlashReport:
        """Erase, write, read back."""
        content = flash_content(job.firmware.image().segments, job.board)
        path = flash_file(job.build_dir, job.board)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.with_suffix(".json").write_text(json.dumps({"compiler": job.firmware.compiler}) + "\n", encoding="utf-8")
        verified = path.read_bytes() == content
        if not verified:
            raise DeviceError(f"{path} does not hold what was written to it; is the disk full?")
        return FlashReport(self.name, job.board.name, str(path), len(content), verified, self.commands(job))
