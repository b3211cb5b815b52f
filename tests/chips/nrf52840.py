"""nRF52840: high-frequency clock, NVMC's cache switch, GPIO, and the UART without DMA (product specification 1.x)."""

from __future__ import annotations

from tests.chips.chip import Chip
from tinyforge.target import Board

CLOCK, NVMC_ICACHE, GPIO = 0x40000000, 0x4001E540, 0x50000000
# Register constants and the rates they really give.
RATES = {0x01D7E000: 115_942, 0x075F7000: 457_143, 0x0EBED000: 941_176, 0x10000000: 1_000_000}


class Nrf52840(Chip):
    """Events as the chip sets them: RXDRDY while bytes wait, TXDRDY when one was sent."""

    def __init__(self, board: Board, crystal: bool = True) -> None:
        super().__init__(crystal)
        self.board = board
        self.uart = board.uart.base
        self.directions = [0, 0]

    def read_register(self, address: int) -> int:
        if address == CLOCK + 0x100:
            return int(bool(self.registers.get(CLOCK, 0)) and self.crystal)
        if address == self.uart + 0x108:
            return int(self.receiving() and self.look())
        if address == self.uart + 0x518:
            return self.take()
        return super().read_register(address)

    def receiving(self) -> bool:
        """Enabled and started, with pins chosen."""
        wanted = (0x000, 0x500, 0x514, 0x524)
        return all(self.uart + at in self.registers for at in wanted) and self.registers[self.uart + 0x500] == 4

    def write_register(self, address: int, value: int) -> None:
        self.registers[address] = value
        if address == self.uart + 0x500 and not {self.uart + 0x50C, self.uart + 0x514} <= set(self.registers):
            self.note("UART enabled before its pins were chosen")
        if address == self.uart + 0x51C:
            self._transmit(value)
        for port in (0, 1):
            if address == GPIO + 0x300 * port + 0x518:
                self.directions[port] |= value

    def _transmit(self, value: int) -> None:
        if self.registers.get(self.uart + 0x500) != 4 or not self.registers.get(self.uart + 0x008):
            self.note("byte sent before the UART was started")
        if self.registers.get(self.uart + 0x11C, 0):
            self.note("TXDRDY not cleared before a byte")
        self.registers[self.uart + 0x11C] = 1
        self.send(value)

    def baud(self) -> float:
        return RATES[self.registers[self.uart + 0x524]]

    def pins(self) -> tuple[int, int]:
        """TX and RX as the UART sees them: port * 32 + pin."""
        return self.registers[self.uart + 0x50C], self.registers[self.uart + 0x514]
