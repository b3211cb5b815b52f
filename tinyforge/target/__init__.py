"""Boards and cores: `load_board(name)`, `board_names()`, and the values they give."""

from __future__ import annotations

from tinyforge.target.board import Board
from tinyforge.target.core import CORES, Core
from tinyforge.target.fields import Fields, parse_size
from tinyforge.target.load import board_names, bsp_sources, load_board
from tinyforge.target.parts import FlashGeometry, Led, MemoryBank, Pin, QemuMachine, SectorRun, Uart

__all__ = [
    "CORES",
    "Board",
    "Core",
    "Fields",
    "FlashGeometry",
    "Led",
    "MemoryBank",
    "Pin",
    "QemuMachine",
    "SectorRun",
    "Uart",
    "board_names",
    "bsp_sources",
    "load_board",
    "parse_size",
]
