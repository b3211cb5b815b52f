"""Flashing methods. One more is one more file, and one line in FLASHERS (and in `target.flashing.METHODS`)."""

from __future__ import annotations

from tinyforge.device.flash.bossac import BossacFlasher
from tinyforge.device.flash.dfu_util import DfuUtilFlasher
from tinyforge.device.flash.emulated import EmulatedFlasher
from tinyforge.device.flash.esptool import EsptoolFlasher
from tinyforge.device.flash.flasher import Flasher, FlashJob, FlashReport
from tinyforge.device.flash.gdb import GdbFlasher
from tinyforge.device.flash.images import flash_content
from tinyforge.device.flash.jlink import JlinkFlasher
from tinyforge.device.flash.openocd import OpenocdFlasher
from tinyforge.device.flash.picotool import PicotoolFlasher
from tinyforge.device.flash.pyocd import PyocdFlasher
from tinyforge.device.flash.stlink_msd import StlinkDriveFlasher
from tinyforge.device.flash.stm32loader import Stm32loaderFlasher
from tinyforge.device.flash.uf2 import Uf2Flasher
from tinyforge.errors import ToolMissing, UsageError
from tinyforge.target import Board
from tinyforge.toolchain.firmware import Firmware

FLASHERS: dict[str, Flasher] = {
    flasher.name: flasher
    for flasher in (
        EmulatedFlasher(),
        GdbFlasher(),
        PyocdFlasher(),
        OpenocdFlasher(),
        JlinkFlasher(),
        EsptoolFlasher(),
        Stm32loaderFlasher(),
        Uf2Flasher(),
        StlinkDriveFlasher(),
        PicotoolFlasher(),
        DfuUtilFlasher(),
        BossacFlasher(),
    )
}


def flash_firmware(
    firmware: Firmware,
    method: str | None = None,
    *,
    probe: str | None = None,
    port: str | None = None,
    dry_run: bool = False,
) -> FlashReport:
    """Put `firmware` on its board with `method`, or the board's first one whose program is here.

    dry_run: nothing is written; the report's `commands` say what would be run. Raises UsageError for a method the
    board does not have, ToolMissing without its tool, DeviceError when it fails.
    """
    job = FlashJob(firmware, probe, port)
    flasher = _named(method, firmware.board) if method else _first_usable(job, dry_run)
    if dry_run:
        size = len(flash_content(firmware.image().segments, firmware.board))
        return FlashReport(flasher.name, firmware.board.name, "nowhere (dry run)", size, False, flasher.commands(job))
    return flasher.flash(job)


def _named(method: str, board: Board) -> Flasher:
    if method not in board.flashers or method not in FLASHERS:
        offered = ", ".join(board.flashers) or "nothing"
        raise UsageError(f"{board.name} cannot be flashed with {method}; it offers: {offered}")
    return FLASHERS[method]


def _first_usable(job: FlashJob, dry_run: bool) -> Flasher:
    """In the board's order. A board in the hand is never replaced by the emulated one unless it is named."""
    board = job.board
    names = [name for i, name in enumerate(board.flashers) if name != "emulated" or i == 0]
    if not names:
        raise UsageError(f"{board.name} cannot be flashed: its C is made for a project of your own")
    flashers = [FLASHERS[name] for name in names]
    usable = next((flasher for flasher in flashers if not flasher.missing(job)), None)
    if usable is None and dry_run:
        return flashers[0]
    if usable is None:
        first = next((flasher for flasher in flashers if flasher.install), flashers[0])
        reasons = "; ".join(flasher.missing(job) for flasher in flashers)
        raise ToolMissing(f"{board.name}: {reasons}. Install one with: {first.install}")
    return usable


__all__ = ["FLASHERS", "FlashJob", "FlashReport", "Flasher", "flash_content", "flash_firmware"]
