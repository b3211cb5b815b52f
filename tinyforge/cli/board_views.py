"""How boards are printed: one line each, or one with every figure and where it is from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tinyforge.cli.console import facts, table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tinyforge.target import Board, MemoryBank


def board_list_view(boards: Sequence[Board]) -> list[RenderableType]:
    """A table, one board a line."""
    if not boards:
        return ["no board matches"]
    rows = table("board", "core", "flash", "SRAM", "clock", "runs on", right=("flash", "SRAM", "clock"))
    for board in boards:
        banks = " + ".join(_kib(bank.size) for bank in board.banks)
        rows.add_row(
            board.name, _core(board), _kib(board.flash_bytes), banks, f"{board.clock_hz // 10**6} MHz", _runs_on(board)
        )
    return [rows]


def _kib(size: int) -> str:
    return f"{size >> 10:,} K"


def _core(board: Board) -> str:
    return " ".join([board.core.name, *(f for f in board.features if f not in board.core.always)])


def _runs_on(board: Board) -> str:
    if board.bsp_dir is None:
        return "export"
    if board.is_hardware:
        return f"hardware, {board.emulator}" if board.emulator else "hardware"
    return board.emulator


def board_view(board: Board) -> list[RenderableType]:
    """Everything the file says."""
    uart = board.uart
    pins = f", {uart.tx.name} (TX) and {uart.rx.name} (RX)" if uart.tx and uart.rx else ""
    rows = {
        "board": board.title,
        "chip": board.mcu or "emulated",
        "core": f"{_core(board)} at {board.clock_hz / 1e6:g} MHz, cycles from {board.cycle_source}",
        "serial port": f"{uart.name or 'UART'} at 0x{uart.base:08x}{pins}, {uart.baud} baud",
        "LED": board.led.pin.name if board.led else "none",
        "flashed with": ", ".join(board.flashers) or "nothing: its C is exported",
        "runs on": _runs_on(board),
    }
    parts: list[RenderableType] = [facts(rows), _memories(board)]
    if board.sources:
        parts.append(_sources(board))
    return parts


def _memories(board: Board) -> RenderableType:
    rows = table("memory", "origin", "size", "wait", "speed", "DMA", "kept in", "", right=("size", "wait", "speed"))
    sectors = ", ".join(f"{run.count} x {_kib(run.size)}" for run in board.geometry.sectors)
    note = f"erased by {sectors}; {board.geometry.write_bytes} B a write" if sectors else ""
    flash = board.flash
    rows.add_row(flash.name, f"0x{flash.origin:08x}", _kib(flash.size), str(flash.wait_states), "", "", "", note)
    for bank in board.banks:
        rows.add_row(*_bank(bank), "firmware, stack, models" if bank is board.banks[0] else "models")
    for bank in board.unused_ram:
        rows.add_row(*_bank(bank), "not used")
    return rows


def _bank(bank: MemoryBank) -> tuple[str, ...]:
    dma = "yes" if bank.dma else "no"
    wait, speed = str(bank.wait_states), str(bank.speed)
    return bank.name, f"0x{bank.origin:08x}", _kib(bank.size), wait, speed, dma, bank.retention


def _sources(board: Board) -> RenderableType:
    rows = table("figures", "from", "compared")
    for source in board.sources:
        rows.add_row(", ".join(source.of), source.text, "yes" if source.verified else "[yellow]no[/]")
    return rows
