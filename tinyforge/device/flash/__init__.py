"""Flashing methods. One more is one more file, and one line in FLASHERS."""

from __future__ import annotations

from tinyforge.device.flash.emulated import EmulatedFlasher
from tinyforge.device.flash.flasher import Flasher, FlashReport
from tinyforge.errors import UsageError
from tinyforge.toolchain.firmware import Firmware

FLASHERS: dict[str, Flasher] = {flasher.name: flasher for flasher in (EmulatedFlasher(),)}


def flash_firmware(firmware: Firmware, method: str | None = None) -> FlashReport:
    """Put `firmware` on its board with `method`, or the board's preferred one.

    Raises UsageError for a method the board or tinyforge does not have, DeviceError when it fails.
    """
    board = firmware.board
    chosen = method or next((name for name in board.flashers if name in FLASHERS), None)
    if chosen is None or chosen not in board.flashers or chosen not in FLASHERS:
        raise UsageError(f"{board.name} cannot be flashed with {chosen}; it offers: {', '.join(board.flashers)}")
    return FLASHERS[chosen].flash(firmware)


__all__ = ["FLASHERS", "FlashReport", "Flasher", "flash_firmware"]
