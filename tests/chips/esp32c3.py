"""ESP32-C3 as its boot ROM leaves it for a program that runs in place: watchdogs, clock switch, UART, cycle counter.

Written from its technical reference manual. unicorn's RISC-V core knows no counter at CSR 0x7e0 to 0x7e2: the illegal
instruction it raises there is carried out here.
"""

from __future__ import annotations

import importlib
from typing import Any

from tests.chips.chip import Chip, ChipMachine
from tinyforge.device.emulate.hooks import unicorn_module
from tinyforge.device.emulate.machine import pages
from tinyforge.target import Board
from tinyforge.toolchain.elf import Image

RTC, TIMERS, SYSTEM = 0x60008000, (0x6001F000, 0x60020000), 0x600C0000
MAGIC = (0xAEDB041D).to_bytes(4, "little") * 2
EVENT, MODE, COUNT = 0x7E0, 0x7E1, 0x7E2
_CRYSTAL_HZ = 40_000_000
_ILLEGAL = 2


class Esp32c3(Chip):
    """`watchdogs` still running; writes to their settings need the key first."""

    windows = ((0x60000000, 0x100000),)

    def __init__(self, board: Board, crystal: bool = True) -> None:
        super().__init__(crystal)
        self.uart = board.uart.base
        self.registers |= {SYSTEM + 0x58: 1, SYSTEM + 8: 0}
        self.watchdogs = {"rtc", "super", "timer 0", "timer 1"}
        self.csr = {EVENT: 0, MODE: 0, COUNT: 0}
        self._guarded = {
            RTC + 0x90: ("rtc", RTC + 0xA8, 0x50D83AA1),
            RTC + 0xAC: ("super", RTC + 0xB0, 0x8F1D312A),
            TIMERS[0] + 0x48: ("timer 0", TIMERS[0] + 0x64, 0x50D83AA1),
            TIMERS[1] + 0x48: ("timer 1", TIMERS[1] + 0x64, 0x50D83AA1),
        }

    def read_register(self, address: int) -> int:
        if address == self.uart + 0x1C:
            return 1 if self.look() else 0
        if address == self.uart:
            return self.take()
        if address == self.uart + 0x80:
            return self.registers.get(address, 0) & ~(1 << 31)
        return super().read_register(address)

    def write_register(self, address: int, value: int) -> None:
        if address in self._guarded:
            name, protect, key = self._guarded[address]
            if self.registers.get(protect) != key:
                self.note(f"{name} watchdog written without its key")
            elif value == 0 or (name == "super" and value >> 31):
                self.watchdogs.discard(name)
        self.registers[address] = value
        if address == self.uart:
            self.send(value)

    def core_hz(self) -> int:
        """Clock of the core."""
        source, period = self.registers[SYSTEM + 0x58] >> 10 & 3, self.registers[SYSTEM + 8]
        if source == 1:
            return (480_000_000 if period & 4 else 320_000_000) // {0: 6, 1: 3}[period & 3]
        return _CRYSTAL_HZ // ((self.registers[SYSTEM + 0x58] & 0x3FF) + 1)

    def baud(self) -> float:
        clock, divider = self.registers[self.uart + 0x78], self.registers[self.uart + 0x14]
        if clock >> 20 & 3 != 3 or not clock >> 22 & 1 or clock >> 24 & 3 != 3:
            self.note("UART is not clocked by the crystal")
        return _CRYSTAL_HZ / ((clock >> 12 & 0xFF) + 1) / ((divider & 0xFFF) + (divider >> 20 & 15) / 16)


class Esp32c3Machine(ChipMachine):
    """The image in flash, seen twice; starts behind the two words the ROM looks for."""

    chip: Esp32c3

    def __init__(self, board: Board, chip: Esp32c3, image: Image, content: bytes) -> None:
        unicorn = unicorn_module()
        self._registers: Any = importlib.import_module("unicorn.riscv_const")
        self.board, self.chip, self.image, self.content = board, chip, image, content
        self.uc = unicorn.Uc(unicorn.UC_ARCH_RISCV, unicorn.UC_MODE_RISCV32)
        views = (board.flash.origin, board.geometry.data_origin or 0)
        for view in views:
            self.uc.mem_map(*pages(view, view + board.flash.size), unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC)
            self.uc.mem_write(view, content)
        for bank in board.banks:
            self.uc.mem_map(*pages(bank.origin, bank.end))
        for base, size in chip.windows:
            self._window(base, size, self._read, self._write)
        self.uc.hook_add(unicorn.UC_HOOK_INTR, self._exception)
        self._skip = False
        assert content[:8] == MAGIC, "the boot ROM finds no program"
        self.pc = board.flash.origin + 8

    def _exception(self, uc: Any, number: int, _user: Any) -> None:
        # unicorn's PC is behind the instruction already.
        pc = uc.reg_read(self._registers.UC_RISCV_REG_PC) - 4
        word = int.from_bytes(uc.mem_read(pc, 4), "little")
        if number != _ILLEGAL or word & 0x7F != 0x73 or word >> 20 not in self.chip.csr:
            raise AssertionError(f"exception {number} at {self.image.where(pc)}")
        function, source, target = word >> 12 & 7, word >> 15 & 31, word >> 7 & 31
        self.chip.csr[COUNT] += 10 * (self.chip.csr[EVENT] & self.chip.csr[MODE] & 1)
        if target:
            uc.reg_write(self._registers.UC_RISCV_REG_X0 + target, self.chip.csr[word >> 20])
        if function == 5:
            self.chip.csr[word >> 20] = source
        self.pc = pc + 4
        self._skip = True
        uc.emu_stop()

    def run(self, until: str | None = None) -> None:
        unicorn = unicorn_module()
        self.chip.idle_looks = 0
        end = self.image.address(until) if until else 0xFFFFFFFE
        self._skip = True
        while self._skip:
            self._skip = False
            self.uc.emu_start(self.pc, end, timeout=300 * unicorn.UC_SECOND_SCALE)
            if not self._skip:
                self.pc = self.uc.reg_read(self._registers.UC_RISCV_REG_PC)
