"""``tinyforge.boards``: the boards there are, which of them have enough memory, and files for new ones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyforge.errors import UsageError
from tinyforge.target import CORES, Board, MemoryBank, board_names, load_board, parse_size
from tinyforge.target.new_board import write_new_board


@dataclass(frozen=True, slots=True)
class BoardList:
    """Boards in name order."""

    boards: tuple[Board, ...]

    def as_json(self) -> dict[str, Any]:
        return {"boards": [board_json(board) for board in self.boards]}


def boards(name: str | None = None, *, sram: str | int | None = None, core: str | None = None) -> BoardList:
    """Boards called ``name`` (or all), with at least ``sram`` bytes for a model, and with the core ``core``
    (``m4`` and ``cortex-m4`` are the same). Raises UsageError for an unknown board or core."""
    found = [load_board(name)] if name else [load_board(n) for n in board_names()]
    if sram is not None:
        needed = parse_size(sram)
        found = [b for b in found if b.model_sram_bytes >= needed]
    if core is not None:
        wanted = core_name(core)
        found = [b for b in found if b.core.name == wanted]
    return BoardList(tuple(found))


def core_name(text: str) -> str:
    """``m4``, ``m0+``, ``Cortex-M0+`` ... -> the name used in board files."""
    lower = text.lower().replace("+", "plus")
    name = lower if lower in CORES else f"cortex-{lower}"
    if name not in CORES:
        raise UsageError(f"there is no core {text!r}; choose one of: {', '.join(CORES)}")
    return name


def new_board(name: str, *, like: str | None = None, out: str | Path | None = None) -> Path:
    """Start a board file ``name``.toml (or ``out``) with the figures of the board ``like``. Returns its path."""
    return write_new_board(name, like, Path(out) if out is not None else None)


def board_json(board: Board) -> dict[str, Any]:
    """A board as plain data."""
    return {
        "name": board.name,
        "title": board.title,
        "mcu": board.mcu or None,
        "core": board.core.name,
        "features": list(board.features),
        "clock_hz": board.clock_hz,
        "firmware": board.bsp_dir is not None,
        "cycle_source": board.cycle_source,
        "flash_bytes": board.flash_bytes,
        "sram_bytes": board.sram_bytes,
        "model_sram_bytes": board.model_sram_bytes,
        "flash": {
            "origin": board.flash.origin,
            "size": board.flash.size,
            "wait_states": board.flash.wait_states,
            "write_bytes": board.geometry.write_bytes,
            "sectors": [[run.count, run.size] for run in board.geometry.sectors],
        },
        "banks": [_bank_json(bank) for bank in board.banks],
        "unused_ram": [_bank_json(bank) for bank in board.unused_ram],
        "uart": {
            "name": board.uart.name or None,
            "base": board.uart.base,
            "tx": board.uart.tx.name if board.uart.tx else None,
            "rx": board.uart.rx.name if board.uart.rx else None,
            "baud": board.uart.baud,
        },
        "led": board.led.pin.name if board.led else None,
        "clock": dict(board.settings),
        "flashers": list(board.flashers),
        "emulator": board.emulator or None,
        "qemu_machine": board.qemu.machine if board.qemu else None,
        "sources": [{"of": list(s.of), "from": s.text, "verified": s.verified} for s in board.sources],
    }


def _bank_json(bank: MemoryBank) -> dict[str, Any]:
    return {
        "name": bank.name,
        "origin": bank.origin,
        "size": bank.size,
        "wait_states": bank.wait_states,
        "speed": bank.speed,
        "dma": bank.dma,
        "retention": bank.retention,
    }
