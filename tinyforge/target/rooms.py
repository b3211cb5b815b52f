"""What a board's SRAM banks leave for a model."""

from __future__ import annotations

from tinyforge.memory.banks import BankRoom
from tinyforge.target.board import Board


def bank_rooms(board: Board, firmware_bytes: int | None = None) -> tuple[BankRoom, ...]:
    """The SRAM banks in the order of the board file. Firmware data and stack take ``firmware_bytes`` of the first one
    (default: what the board file keeps for them)."""
    kept = board.firmware_sram_bytes if firmware_bytes is None else firmware_bytes
    return tuple(
        BankRoom(bank.name, max(0, bank.size - (0 if i else kept)), bank.speed, main=i == 0)
        for i, bank in enumerate(board.banks)
    )
