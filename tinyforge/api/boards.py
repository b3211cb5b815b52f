"""``tinyforge.boards``: the boards there are, and which of them have enough memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tinyforge.errors import UsageError
from tinyforge.target import CORES, Board, board_names, load_board, parse_size


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
    name = lower if lower.startswith("cortex-") else f"cortex-{lower}"
    if name not in CORES:
        raise UsageError(f"there is no core {text!r}; choose one of: {', '.join(CORES)}")
    return name


def board_json(board: Board) -> dict[str, Any]:
    """A board as plain data."""
    return {
        "name": board.name,
        "title": board.title,
        "core": board.core.name,
        "features": list(board.features),
        "clock_hz": board.clock_hz,
        "flash_bytes": board.flash_bytes,
        "sram_bytes": board.sram_bytes,
        "model_sram_bytes": board.model_sram_bytes,
        "banks": [{"name": bank.name, "origin": bank.origin, "size": bank.size} for bank in board.banks],
        "flashers": list(board.flashers),
        "emulator": board.emulator or None,
        "qemu_machine": board.qemu.machine if board.qemu else None,
    }
