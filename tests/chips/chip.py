"""A chip in unicorn: core, memories, peripherals as registers with rules; its serial line is a Transport.

A model derives from `Chip` and overrides `read_register` and `write_register`; what a program does against the manual
is noted in `problems`. Start-up, the protocol and the model's code run as on the hardware, one instruction at a time.
"""

from __future__ import annotations

from typing import Any

from tinyforge.device.emulate.hooks import arm_registers, unicorn_module
from tinyforge.device.emulate.machine import new_core, pages
from tinyforge.target import Board
from tinyforge.toolchain.elf import Image

PERIPHERALS = (0x40000000, 0x20000000)
SYSTEM = (0xE0000000, 0x100000)
CCR, CCSIDR, DCISW = 0xE000ED14, 0xE000ED80, 0xE000EF60
# 4 ways of 32 sets of 32 bytes.
_CACHE_ID = 31 << 13 | 3 << 3 | 1
# Looks at an empty receiver before the program is taken to be idle.
_IDLE_LOOKS = 3


class Chip:
    """Base of all chips: `registers` by address, `problems` in words."""

    windows: tuple[tuple[int, int], ...] = (PERIPHERALS,)

    def __init__(self, crystal: bool = True) -> None:
        self.crystal = crystal
        self.registers: dict[int, int] = {}
        self.problems: list[str] = []
        self.received: bytearray = bytearray()
        self.sent: bytearray = bytearray()
        self.idle_looks = 0
        self.cache_lines = 0

    def note(self, problem: str) -> None:
        """One more broken rule (each once)."""
        if problem not in self.problems:
            self.problems.append(problem)

    def read_register(self, address: int) -> int:
        """What the program reads; plain memory unless a model says otherwise."""
        return self.registers.get(address, 0)

    def write_register(self, address: int, value: int) -> None:
        """What a write does; plain memory unless a model says otherwise."""
        self.registers[address] = value

    def baud(self) -> float:
        """Line speed that results from the registers."""
        raise NotImplementedError

    # The serial line's near end.
    def look(self) -> bool:
        """Whether a received byte waits; counts looks in vain."""
        if not self.received:
            self.idle_looks += 1
        return bool(self.received)

    def take(self) -> int:
        """The next received byte."""
        return self.received.pop(0) if self.received else 0

    def send(self, byte: int) -> None:
        """A byte on the wire."""
        self.idle_looks = 0
        self.sent.append(byte & 0xFF)

    # The core's own registers, the same on all chips.
    def read_system(self, address: int) -> int:
        """Caches of an M7; no cycle counter."""
        return _CACHE_ID if address == CCSIDR else self.registers.get(address, 0) if address == CCR else 0

    def write_system(self, address: int, value: int) -> None:
        """Notes caches that are turned on before they were invalidated."""
        if address == DCISW:
            self.cache_lines += 1
        if address == CCR:
            if value & 1 << 16 and self.cache_lines < 128:
                self.note("data cache on before it was invalidated")
            self.registers[CCR] = value


class ChipMachine:
    """A board's firmware on a chip model. As a Transport it carries a DeviceClient."""

    def __init__(self, board: Board, chip: Chip, image: Image) -> None:
        self.board, self.chip, self.image = board, chip, image
        self.uc = new_core(board)
        self.pc = 0
        self._map()
        for segment in image.segments:
            self.uc.mem_write(segment.address, segment.data)

    def _map(self) -> None:
        chip = self.chip
        self.uc.mem_map(*pages(self.board.flash.origin, self.board.flash.end))
        for bank in self.board.banks:
            self.uc.mem_map(*pages(bank.origin, bank.end))
        for base, size in chip.windows:
            self._window(base, size, self._read, self._write)
        self._window(*SYSTEM, chip.read_system, chip.write_system)

    def _window(self, base: int, size: int, read: Any, write: Any) -> None:
        self.uc.mmio_map(
            base,
            size,
            lambda _uc, offset, _size, _user: read(base + offset) & 0xFFFFFFFF,
            None,
            lambda _uc, offset, _size, value, _user: write(base + offset, value),
            None,
        )

    def _read(self, address: int) -> int:
        value = self.chip.read_register(address)
        if self.chip.idle_looks > _IDLE_LOOKS:
            self.uc.emu_stop()
        return value

    def _write(self, address: int, value: int) -> None:
        self.chip.write_register(address, value)

    def start(self, vectors: int) -> None:
        """Reset: stack and entry from the vector table at `vectors`."""
        arm = arm_registers()
        stack, entry = (int.from_bytes(self.uc.mem_read(vectors + 4 * i, 4), "little") for i in (0, 1))
        self.uc.reg_write(arm.UC_ARM_REG_SP, stack)
        self.pc = entry | 1

    def run(self, until: str | None = None) -> None:
        """Run until the program waits for input (or arrives at the function `until`)."""
        unicorn, arm = unicorn_module(), arm_registers()
        self.chip.idle_looks = 0
        end = self.image.address(until) if until else 0xFFFFFFFE
        self.uc.emu_start(self.pc, end, timeout=300 * unicorn.UC_SECOND_SCALE)
        self.pc = self.uc.reg_read(arm.UC_ARM_REG_PC) | 1
        assert until is None or self.pc == end | 1, self.image.where(self.pc)

    # Transport
    def write(self, data: bytes) -> None:
        """To the board."""
        self.chip.received += data

    def read(self, timeout_s: float) -> bytes:
        """What the board says until it waits again."""
        del timeout_s
        self.run()
        said, self.chip.sent = bytes(self.chip.sent), bytearray()
        return said

    def close(self) -> None:
        """Nothing to give back."""
