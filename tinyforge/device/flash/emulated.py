"""The flash memory of an emulated board: a file that holds what the chip would hold."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from tinyforge.codegen.build_info import metadata_dir
from tinyforge.device.flash.flasher import FlashReport
from tinyforge.errors import DeviceError
from tinyforge.target import Board
from tinyforge.toolchain.elf import Segment
from tinyforge.toolchain.firmware import Firmware

_ERASED = b"\xff"


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


def flash_content(segments: tuple[Segment, ...], board: Board) -> bytes:
    """What flash holds from its origin on, trailing erased bytes left out."""
    end = max(segment.address + len(segment.data) for segment in segments)
    if min(segment.address for segment in segments) < board.flash.origin or end > board.flash.end:
        raise DeviceError(f"the image does not lie in the flash of {board.name}; build it for this board")
    content = bytearray(_ERASED * (end - board.flash.origin))
    for segment in segments:
        at = segment.address - board.flash.origin
        content[at : at + len(segment.data)] = segment.data
    return bytes(content)


@dataclass(frozen=True, slots=True)
class EmulatedFlasher:
    """Writes flash files."""

    name: str = "emulated"

    def flash(self, firmware: Firmware) -> FlashReport:
        """Erase, write, read back."""
        content = flash_content(firmware.image().segments, firmware.board)
        path = flash_file(_build_dir(firmware), firmware.board)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.with_suffix(".json").write_text(json.dumps({"compiler": firmware.compiler}) + "\n", encoding="utf-8")
        verified = path.read_bytes() == content
        if not verified:
            raise DeviceError(f"{path} does not hold what was written to it; is the disk full?")
        return FlashReport(self.name, firmware.board.name, str(path), len(content), verified)


def _build_dir(firmware: Firmware) -> Path:
    """OUT of OUT/.tinyforge/firmware/<variant>/<name>.elf."""
    return firmware.elf.parents[3]
