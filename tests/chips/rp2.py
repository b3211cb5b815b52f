"""RP2040 and RP2350: boot ROM, serial flash interface, resets, crystal, system PLL, clock muxes, pads, PL011 UART.

Written from the two datasheets: Bootrom, SSI, Resets, XOSC, PLL, Clocks, GPIO, UART.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.chips.chip import PERIPHERALS, Chip
from tinyforge.target import Board

FLASH, BOOT_SRAM, SSI = 0x10000000, 0x20041F00, 0x18000000


@dataclass(frozen=True)
class Map:
    """Addresses and reset bits in which the two chips differ. top: highest system clock in Hz."""

    resets: int
    clocks: int
    xosc: int
    pll: int
    io: int
    pads: int
    uart: int
    sio_oe: int
    reset_io: int
    reset_pads: int
    reset_pll: int
    reset_uart: int
    top: int


MAPS = {
    "RP2040": Map(
        0x4000C000, 0x40008000, 0x40024000, 0x40028000, 0x40014000, 0x4001C000, 0x40034000, 0xD0000024, 5, 8, 12, 22,
        133_000_000,
    ),
    "RP2350": Map(
        0x40020000, 0x40010000, 0x40048000, 0x40050000, 0x40028000, 0x40038000, 0x40070000, 0xD0000038, 6, 9, 14, 26,
        150_000_000,
    ),
}  # fmt: skip


def boot2_checksum(block: bytes) -> int:
    """The boot ROM's CRC of the first 252 bytes: polynomial 04c11db7, most significant bit first, start ffffffff."""
    crc = 0xFFFFFFFF
    for byte in block[:252]:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ 0x04C11DB7 if crc & 1 << 31 else crc << 1) & 0xFFFFFFFF
    return crc


def image_def(flash: bytes) -> int | None:
    """Offset of a valid image definition in the first 4 KiB, as the RP2350's boot ROM looks for one."""
    words = [int.from_bytes(flash[at : at + 4], "little") for at in range(0, min(4096, len(flash) - 3), 4)]
    for start, word in enumerate(words):
        if word != 0xFFFFDED3:
            continue
        at, total = start + 1, 0
        while at < len(words) and words[at] & 0xFF != 0xFF:
            size = words[at] >> 8 & 0xFF or len(words)
            total, at = total + size, at + size
        if at + 2 < len(words) and words[at] >> 8 & 0xFFFF == total and words[at + 2] == 0xAB123579:
            executable_for_arm = words[start + 1] == 0x10210142
            return 4 * start if executable_for_arm else None
    return None


class Rp2(Chip):
    """One of the two."""

    windows = (PERIPHERALS, (0xD0000000, 0x1000), (SSI, 0x1000))

    def __init__(self, board: Board, crystal: bool = True) -> None:
        super().__init__(crystal)
        self.board = board
        self.map = MAPS[board.mcu]
        self.in_reset = 0xFFFFFFFF
        self.line_control_after_divider = False
        self.selected = {"ref": 0, "sys": 0}

    def read_register(self, address: int) -> int:
        m, value = self.map, self.registers.get(address, 0)
        if address == m.resets + 8:
            return ~self.in_reset
        if address == m.xosc + 4:
            running = self.registers.get(m.xosc, 0) == 0xFABAA0 and self.crystal
            return int(running) << 31
        if address == m.pll:
            return value | int(self.pll_on()) << 31
        if address == m.clocks + 0x38:
            return 1 << (self.registers.get(m.clocks + 0x30, 0) & 3)
        if address == m.clocks + 0x44:
            return 1 << (self.registers.get(m.clocks + 0x3C, 0) & 1)
        if address == m.uart + 0x18:
            return 0 if self.look() else 1 << 4
        if address == m.uart:
            return self.take()
        return value

    def write_register(self, address: int, value: int) -> None:
        m = self.map
        if address == m.resets + 0x3000:
            self.in_reset &= ~value
            return
        blocks = ((m.uart, m.reset_uart), (m.io, m.reset_io), (m.pads, m.reset_pads), (m.pll, m.reset_pll))
        for base, bit in blocks:
            if base <= address < base + 0x1000 and self.in_reset >> bit & 1:
                self.note(f"0x{address:08x} written while its block was in reset")
        self.registers[address] = value
        if address == m.uart:
            if self.registers.get(m.uart + 0x30, 0) & 0x301 != 0x301:
                self.note("byte sent while the UART was off")
            self.send(value)
        if address == m.clocks + 0x3C and value & 1:
            self._switch()
        if address in (m.uart + 0x24, m.uart + 0x28):
            self.line_control_after_divider = False
        if address == m.uart + 0x2C:
            self.line_control_after_divider = True

    def pll_on(self) -> bool:
        """Powered, with a crystal at its input."""
        power = self.registers.get(self.map.pll + 4, 0x2D)
        return power & 0x21 == 0 and bool(self.read_register(self.map.xosc + 4))

    def _switch(self) -> None:
        if not self.pll_on() or self.registers[self.map.pll + 4] & 8:
            self.note("switched to a PLL that is not locked")
        if not self.board.clock_hz == self.sys_hz() <= self.map.top:
            self.note(f"system clock {self.sys_hz()} Hz")

    def sys_hz(self) -> int:
        """System clock; 0 while it comes from the ring oscillator, whose rate nobody knows."""
        m = self.map
        if self.registers.get(m.clocks + 0x3C, 0) & 1:
            prim, fbdiv = self.registers[m.pll + 0xC], self.registers[m.pll + 8]
            vco = 12_000_000 // (self.registers[m.pll] & 0x3F) * fbdiv
            if not 750_000_000 <= vco <= 1_600_000_000:
                self.note(f"VCO {vco} Hz")
            return vco // (prim >> 16 & 7) // (prim >> 12 & 7)
        return 12_000_000 if self.registers.get(m.clocks + 0x30, 0) & 3 == 2 else 0

    def baud(self) -> float:
        m = self.map
        if not self.registers.get(m.clocks + 0x48, 0) >> 11 & 1:
            self.note("peripheral clock is off")
        if not self.line_control_after_divider:
            self.note("divider written after the line control register: it is not taken over")
        divider = self.registers[m.uart + 0x24] + self.registers[m.uart + 0x28] / 64
        return self.sys_hz() / 16 / divider

    def pad_isolated(self, pin: int) -> bool:
        """RP2350: pads come up isolated (bit 8) and stay so until somebody clears the bit."""
        return self.board.mcu == "RP2350" and bool(self.registers.get(self.map.pads + 4 + 4 * pin, 1 << 8) >> 8 & 1)
