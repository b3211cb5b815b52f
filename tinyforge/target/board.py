"""Boards as values: a core, its memories, its ports and how to flash it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from tinyforge.errors import UsageError
from tinyforge.ir.program import Isa
from tinyforge.target.core import Core

QEMU_BOOTS = ("kernel", "vectors", "origin")


@dataclass(frozen=True, slots=True)
class MemoryBank:
    """A contiguous memory. `origin` and `size` in bytes; `wait_states` in cycles per access.

    `speed` orders the SRAM banks of a board: 0 is the fastest (tightly coupled), larger is slower. Of flash with wait
    states: one access brings `line_bytes`, and `cache_bytes` of code are kept (0: only the line at hand).
    """

    name: str
    origin: int
    size: int
    wait_states: int = 0
    speed: int = 0
    line_bytes: int = 16
    cache_bytes: int = 0

    @property
    def end(self) -> int:
        """First address behind the bank."""
        return self.origin + self.size


@dataclass(frozen=True, slots=True)
class Uart:
    """The serial port the protocol uses: register block address and line speed."""

    base: int
    baud: int


@dataclass(frozen=True, slots=True)
class QemuMachine:
    """How QEMU runs this board: machine name, and the rate of the cycle source there in Hz.

    boot: one of QEMU_BOOTS. `kernel`: QEMU knows where the flash is; `vectors`: the flash's first two words go to
    address 0, where the core looks for them, the flash to its origin; `origin`: the flash goes to its origin, where
    the machine starts.
    """

    machine: str
    cycle_hz: int
    boot: str = "kernel"


@dataclass(frozen=True, slots=True)
class Board:
    """A board tinyforge can build firmware for.

    clock_hz: core clock after start-up. bsp: folder in `firmware/bsp`. banks: SRAM banks, the first one
    holds firmware data and stack. firmware_sram_bytes: SRAM of the first bank kept for firmware and stack,
    so a model may use `model_sram_bytes`. cycle_source: one of `load.CYCLE_SOURCES`.
    flashers: names of flashing methods, preferred first. emulator: `unicorn`, `qemu` or empty (hardware).
    source: the file it was read from.
    """

    name: str
    title: str
    core: Core
    features: tuple[str, ...]
    clock_hz: int
    flash: MemoryBank
    banks: tuple[MemoryBank, ...]
    bsp: str
    uart: Uart
    cycle_source: str
    flashers: tuple[str, ...]
    emulator: str
    firmware_sram_bytes: int
    qemu: QemuMachine | None = None
    source: Path | None = field(default=None, compare=False)

    @property
    def sram_bytes(self) -> int:
        """SRAM of all banks together."""
        return sum(bank.size for bank in self.banks)

    @property
    def model_sram_bytes(self) -> int:
        """SRAM left for models when firmware data and stack are taken off."""
        return max(0, self.sram_bytes - self.firmware_sram_bytes)

    @property
    def flash_bytes(self) -> int:
        """Size of the flash."""
        return self.flash.size

    @property
    def isa(self) -> Isa:
        """What operators are lowered for."""
        return Isa.MVE if self.has("mve") else Isa.PORTABLE

    def has(self, feature: str) -> bool:
        """Whether the core has `fpu`, `fpu-dp`, `dsp` or `mve`."""
        return feature in self.features

    def with_limits(self, sram: int | None = None, flash: int | None = None) -> Board:
        """The same board with memories cut to `sram` and `flash` bytes (whole banks kept in order).

        Limits above what the board has raise UsageError.
        """
        _check_limit(self, "SRAM", sram, self.sram_bytes)
        _check_limit(self, "flash", flash, self.flash_bytes)
        limited = self
        if sram is not None:
            limited = replace(limited, banks=_cut(self.banks, sram))
        if flash is not None:
            limited = replace(limited, flash=replace(self.flash, size=flash))
        return limited


def _check_limit(board: Board, what: str, limit: int | None, size: int) -> None:
    if limit is not None and not 0 < limit <= size:
        raise UsageError(
            f"{board.name}: a limit of {limit:,} B of {what} makes no sense, the board has {size:,} B; "
            f"give a smaller limit or another board (tinyforge boards)"
        )


def _cut(banks: tuple[MemoryBank, ...], total: int) -> tuple[MemoryBank, ...]:
    kept: list[MemoryBank] = []
    for bank in banks:
        size = min(bank.size, total)
        if size:
            kept.append(replace(bank, size=size))
        total -= size
    return tuple(kept)
