"""An STM32 behind a JTAG cable as OpenOCD's `remote_bitbang` drives it: every edge of the clock is a character.

Two test access ports in a row, as the manual draws them: boundary scan next to TDI, the debug port next to TDO (ADIv5:
instructions DPACC, APACC, IDCODE). Behind it is the same chip that pyOCD sees; code on it runs in slices meanwhile.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass, field

from tests.chips.debug_port import DebugPort, Stm32Target
from tests.chips.loopback import LoopbackServer

DPACC, APACC, DEBUG_IDCODE, SCAN_IDCODE = 0b1010, 0b1011, 0b1110, 0b00001
DEBUG_ID, SCAN_ID = 0x4BA00477, 0x06441041
_OK = 0b010
_SLICE = 20_000  # instructions between two accesses

# State: (next with TMS low, next with TMS high); IEEE 1149.1 figure 6-1.
_STATES = {
    "reset": ("idle", "reset"),
    "idle": ("idle", "select DR"),
    "select DR": ("capture DR", "select IR"),
    "capture DR": ("shift DR", "exit1 DR"),
    "shift DR": ("shift DR", "exit1 DR"),
    "exit1 DR": ("pause DR", "update DR"),
    "pause DR": ("pause DR", "exit2 DR"),
    "exit2 DR": ("shift DR", "update DR"),
    "update DR": ("idle", "select DR"),
    "select IR": ("capture IR", "reset"),
    "capture IR": ("shift IR", "exit1 IR"),
    "shift IR": ("shift IR", "exit1 IR"),
    "exit1 IR": ("pause IR", "update IR"),
    "pause IR": ("pause IR", "exit2 IR"),
    "exit2 IR": ("shift IR", "update IR"),
    "update IR": ("idle", "select DR"),
}


@dataclass
class Tap:
    """One test access port: an instruction, and a register that is shifted. idcode: the instruction after reset."""

    ir_bits: int
    idcode: int
    identity: int
    instruction: int = 0
    shifted: list[int] = field(default_factory=list)

    def load(self, value: int, bits: int) -> None:
        """Take `value` to be shifted out, lowest bit first."""
        self.shifted = [value >> i & 1 for i in range(bits)]

    def value(self) -> int:
        """What was shifted in."""
        return sum(bit << i for i, bit in enumerate(self.shifted))

    def shift(self, bit: int) -> int:
        """One clock; returns what leaves."""
        self.shifted.append(bit)
        return self.shifted.pop(0)

    def capture(self) -> None:
        """The data register of the instruction: identity, or one bit of bypass."""
        self.load(*((self.identity, 32) if self.instruction == self.idcode else (0, 1)))

    def update(self) -> None:
        """What was shifted in takes effect."""


class DebugTap(Tap):
    """ADIv5's JTAG-DP: 35 bits, of which 3 are register and direction one way, acknowledgement the other."""

    def __init__(self, port: DebugPort) -> None:
        super().__init__(4, DEBUG_IDCODE, DEBUG_ID)
        self.port = port
        self.select = self.result = 0

    def capture(self) -> None:
        if self.instruction in (DPACC, APACC):
            self.load(self.result << 3 | _OK, 35)
        else:
            super().capture()

    def update(self) -> None:
        if self.instruction not in (DPACC, APACC):
            return
        word = self.value()
        register, data, reads = word << 1 & 0xC, word >> 3, word & 1
        access = self._dp if self.instruction == DPACC else self._ap
        self.result = access(register, None if reads else data)

    def _dp(self, register: int, data: int | None) -> int:
        """The result of the access to the access port before this one stays until RDBUFF (0xC) was read."""
        if data is None:
            return 0 if register == 0xC else self.port.read_dp(register)
        if register == 8:
            self.select = data
        else:
            self.port.write_dp(register, data)
        return self.result

    def _ap(self, register: int, data: int | None) -> int:
        self.port.target.run_slice(_SLICE)
        address = self.select & 0xFF0000F0 | register
        if data is None:
            return self.port.read_ap(address)
        self.port.write_ap(address, data)
        return self.result


class JtagServer(LoopbackServer):
    """Serves one chip to `remote_bitbang` on `port`. A chip without power answers ones."""

    def __init__(self, target: Stm32Target) -> None:
        self.target = target
        target.in_slices = True
        super().__init__()
        self.port = self.tcp_port

    def _talk(self, connection: socket.socket) -> None:
        self._taps = (Tap(5, SCAN_IDCODE, SCAN_ID), DebugTap(DebugPort(self.target)))
        self._state, self._clock = "reset", 0
        self._enter()
        try:
            while data := connection.recv(1 << 16):
                said = bytearray()
                for code in data:
                    if 0x30 <= code <= 0x37:
                        self._wires(code >> 2 & 1, code >> 1 & 1, code & 1)
                    elif code == ord("R"):
                        said.append(ord("0") + self._out())
                if said:
                    connection.sendall(said)
        except OSError:
            return

    def _out(self) -> int:
        last = self._taps[-1].shifted
        return last[0] if last and self.target.powered else 1

    def _wires(self, clock: int, mode: int, bit: int) -> None:
        rises, self._clock = clock and not self._clock, clock
        if not rises:
            return
        if self._state.startswith("shift"):
            for tap in self._taps:
                bit = tap.shift(bit)
        self._state = _STATES[self._state][mode]
        self._enter()

    def _enter(self) -> None:
        for tap in self._taps:
            if self._state == "reset":
                tap.instruction = tap.idcode
            elif self._state == "capture IR":
                tap.load(1, tap.ir_bits)
            elif self._state == "update IR":
                tap.instruction = tap.value()
            elif self._state == "capture DR":
                tap.capture()
            elif self._state == "update DR" and self.target.powered:
                tap.update()
