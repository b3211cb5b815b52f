"""An emulated board as a process of its own: boots a flash file, its serial port is a TCP socket.

    python -m tinyforge.device.emulate.board BOARD FLASH_FILE [PORT]

prints `port N` once it listens (on the loopback only) and ends when the process that started it does.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from tinyforge.device.emulate.hooks import INHERIT, Counter, arm_registers, unicorn_module
from tinyforge.device.emulate.line import SocketLine
from tinyforge.device.emulate.machine import new_core, pages
from tinyforge.device.emulate.peripherals import Ignored, LineClock, Timer, Uart
from tinyforge.errors import DeviceError, TinyforgeError
from tinyforge.target import Board, load_board

_TIMER_BASE = 0x40000000
_SYSTEM_BASE = 0xE0000000
_SYSTEM_BYTES = 0x100000
_BITS_A_BYTE = 10  # start, 8 of data, stop


class EmulatedBoard:
    """A whole board: core, all of its memory, UART and timer; boots from the vector table in flash."""

    def __init__(self, board: Board, flash: bytes, line: SocketLine) -> None:
        unicorn = unicorn_module()
        self._uc = new_core(board)
        self._board = board
        self._line = line
        self._flash = flash
        self._map(unicorn)
        code = flash + b"\0" * (len(flash) & 1)
        owner = np.full(len(code) // 2 + 1, INHERIT, dtype=np.uint16)
        self._counter = Counter(self._uc, board.flash.origin, code, owner)
        clock = LineClock(self._instructions)
        self._attach(board.uart.base, Uart(line, clock, board.clock_hz * _BITS_A_BYTE // board.uart.baud))
        self._attach(_TIMER_BASE, Timer(self._instructions))
        self._attach(_SYSTEM_BASE, Ignored(), _SYSTEM_BYTES)
        self._problem = ""
        self._uc.hook_add(unicorn.UC_HOOK_INTR, self._on_exception)
        self._uc.hook_add(unicorn.UC_HOOK_MEM_INVALID, self._on_memory)

    def _map(self, unicorn: Any) -> None:
        flash = self._board.flash
        self._uc.mem_map(*pages(flash.origin, flash.end), unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC)
        self._uc.mem_write(flash.origin, self._flash.ljust(flash.size, b"\xff"))
        for bank in self._board.banks:
            self._uc.mem_map(*pages(bank.origin, bank.end), unicorn.UC_PROT_READ | unicorn.UC_PROT_WRITE)

    def _attach(self, base: int, device: Uart | Timer | Ignored, size: int = 0x1000) -> None:
        def on_read(_uc: Any, offset: int, _size: int, _user: Any) -> int:
            return device.read(offset)

        def on_write(_uc: Any, offset: int, _size: int, value: int, _user: Any) -> None:
            device.write(offset, value)

        self._uc.mmio_map(base, size, on_read, None, on_write, None)

    def _instructions(self) -> int:
        """Executed since reset: the emulated boards' clock, one a tick."""
        return int(self._counter.state.instructions)

    def _on_exception(self, uc: Any, number: int, _user: Any) -> None:
        self._problem = f"exception {number}"
        uc.emu_stop()

    def _on_memory(self, _uc: Any, _kind: int, address: int, size: int, _value: int, _user: Any) -> bool:
        self._problem = f"{size} B at 0x{address:08x}"
        return False

    def run(self) -> NoReturn:
        """Boot and run for ever; a fault is reported on the serial line, as the firmware's own handler does."""
        unicorn, arm = unicorn_module(), arm_registers()
        stack, entry = (int.from_bytes(self._flash[at : at + 4], "little") for at in (0, 4))
        self._uc.reg_write(arm.UC_ARM_REG_SP, stack)
        error = ""
        try:
            self._uc.emu_start(entry | 1, 0xFFFFFFFE)
        except unicorn.UcError as problem:
            error = str(problem)
        pc = self._uc.reg_read(arm.UC_ARM_REG_PC)
        message = f"FAULT pc={pc:08x} {self._problem or error or 'stopped'}"
        for byte in f"\0\n{message}\n\0".encode():
            self._line.send(byte)
        self._line.flush()
        raise DeviceError(message)


def main(arguments: list[str]) -> int:
    """Entry point of the process."""
    if len(arguments) not in (2, 3):
        print("usage: board BOARD FLASH_FILE [PORT]", file=sys.stderr)
        return 2
    try:
        board = load_board(arguments[0])
        flash = Path(arguments[1]).read_bytes()
        if not 8 <= len(flash) <= board.flash.size:
            raise DeviceError(f"{arguments[1]} is no flash content of {board.name}")
        line = SocketLine(int(arguments[2]) if len(arguments) == 3 else 0)
        print(f"port {line.port}", flush=True)
        EmulatedBoard(board, flash, line).run()
    except TinyforgeError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
