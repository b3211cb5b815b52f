"""Which STM32 is behind a probe: the ID register of its debug unit, as a tool prints it."""

from __future__ import annotations

import re

from tinyforge.target import Board
from tinyforge.toolchain.process import Completed


def id_register(board: Board) -> int:
    """Address of DBGMCU_IDCODE, the device's ID in its low 12 bits."""
    return 0x5C001000 if board.mcu.startswith("STM32H7") else 0xE0042000


def other_chip(board: Board, word: re.Pattern[str], done: Completed) -> str:
    """What the register says, in words, where it is not the board's chip. word: finds the register's value, 8 hex
    digits, in what the tool printed."""
    match = word.search((done.stdout + b"\n" + done.stderr).decode("utf-8", "replace"))
    found = int(match.group(1), 16) & 0xFFF if match else None
    wanted = board.tools.stm32_id
    if found is None or found == wanted:
        return "" if found is not None else "the chip's ID cannot be read"
    return f"wrong chip: it answers ID 0x{found:x}, {board.mcu} has 0x{wanted:x}"
