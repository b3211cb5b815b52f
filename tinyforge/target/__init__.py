"""Boards and cores: `load_board(name)`, `board_names()`, and the values they give."""

from __future__ import annotations

from tinyforge.target.board import Board, MemoryBank, QemuMachine, Uart
from tinyforge.target.core import CORES, Core
from tinyforge.target.fields import Fields, parse_size
from tinyforge.target.load import board_names, load_board

__all__ = [
    "CORES",
    "Board",
    "Core",
    "Fields",
    "MemoryBank",
    "QemuMachine",
    "Uart",
    "board_names",
    "load_board",
    "parse_size",
]
