"""What a flashing method is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from tinyforge.toolchain.firmware import Firmware


@dataclass(frozen=True, slots=True)
class FlashReport:
    """What was written. target: where to, in words; image_bytes: flash taken; verified: read back and equal."""

    method: str
    board: str
    target: str
    image_bytes: int
    verified: bool


class Flasher(Protocol):
    """Writes a firmware image to a board and verifies it."""

    @property
    def name(self) -> str:
        """Name in board files."""

    def flash(self, firmware: Firmware) -> FlashReport:
        """Raises ToolMissing without its tool, DeviceError when the board does not take the image."""
