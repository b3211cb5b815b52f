"""Boards as values: a core, its memories, its ports and how to flash it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from tinyforge.errors import UsageError
from tinyforge.ir.program import Isa
from tinyforge.target.core import Core
from tinyforge.target.flashing import FlashTools
from tinyforge.target.parts import FlashGeometry, Led, MemoryBank, QemuMachine, Uart
from tinyforge.target.sources import Source


@dataclass(frozen=True, slots=True)
class Board:
    """A board tinyforge can build firmware for, or at least compile models for.

    mcu: the chip's order name, empty for an emulated core. clock_hz: core clock after start-up.
    bsp_dir: folder of the start-up code for clocks and serial port, None where there is none (`bsp = "none"`: the
    model's C is exported, no firmware is built). settings: its settings, as the folder's bsp.toml names them.
    banks: SRAM banks, the first one holds firmware data and stack. unused_ram: memories of the chip that neither
    firmware nor models use. firmware_sram_bytes: SRAM of the first bank kept for firmware and stack, so that a model
    may use `model_sram_bytes`. cycle_source: one of `load.CYCLE_SOURCES`. flashers: names of flashing methods,
    preferred first. emulator: `unicorn`, `qemu` or empty (hardware). sources: where each figure is from.
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
    mcu: str = ""
    bsp_dir: Path | None = field(default=None, compare=False)
    settings: tuple[tuple[str, int], ...] = ()
    geometry: FlashGeometry = field(default_factory=FlashGeometry)
    led: Led | None = None
    unused_ram: tuple[MemoryBank, ...] = ()
    tools: FlashTools = field(default_factory=FlashTools)
    sources: tuple[Source, ...] = field(default=(), compare=False)
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
    def is_hardware(self) -> bool:
        """Whether it is a board to hold in the hand (QEMU may play it too)."""
        return bool(self.mcu)

    @property
    def isa(self) -> Isa:
        """What operators are lowered for."""
        if self.has("mve"):
            return Isa.MVE
        if not self.core.simd:
            return Isa.BASELINE
        return Isa.PORTABLE if self.has("dsp") else Isa.SCALAR

    @property
    def has_fast_flash(self) -> bool:
        """Whether a word is read from flash beside a multiplication: on cores that issue both at once, from a flash
        without wait states."""
        return self.core.name == "cortex-m7" and not self.flash.wait_states

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
