"""Memory-mapped devices of the emulated boards: Arm CMSDK UART and timer, and a system control space that ignores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

_WORD = 0xFFFFFFFF


class Line(Protocol):
    """The far end of a UART."""

    def receive(self, *, wait: bool) -> int | None:
        """The next byte for the board; None when there is none (after a short wait, with `wait`)."""

    def send(self, byte: int) -> None:
        """A byte from the board."""


class Uart:
    """CMSDK UART: DATA, STATE (bit 1: received byte waits), CTRL, INTSTATUS, BAUDDIV. Sending never blocks."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._waiting: int | None = None
        self._polls = 0

    def read(self, offset: int) -> int:
        """Register at `offset`."""
        if offset == 4:
            # One look at the state comes before every byte sent; two in a row mean waiting for input.
            self._polls += 1
            if self._waiting is None:
                self._waiting = self._line.receive(wait=self._polls > 1)
            return 0 if self._waiting is None else 2
        self._polls = 0
        if offset == 0:
            byte, self._waiting = self._waiting, None
            return byte or 0
        return 0

    def write(self, offset: int, value: int) -> None:
        """Register at `offset`."""
        self._polls = 0
        if offset == 0:
            self._line.send(value & 0xFF)


class Timer:
    """CMSDK timer that counts down one an executed instruction: CTRL, VALUE, RELOAD."""

    def __init__(self, instructions: Callable[[], int]) -> None:
        self._instructions = instructions
        self._started: int | None = None
        self._value = 0

    def read(self, offset: int) -> int:
        """Register at `offset`."""
        if offset == 0:
            return int(self._started is not None)
        if offset == 4 and self._started is not None:
            return (self._value - (self._instructions() - self._started)) & _WORD
        return self._value

    def write(self, offset: int, value: int) -> None:
        """Register at `offset`."""
        if offset == 0:
            self._started = self._instructions() if value & 1 else None
        elif offset == 4:
            self._value = value


class Ignored:
    """Registers that read 0 and forget what is written: a core without DWT, SysTick, interrupts."""

    def read(self, offset: int) -> int:
        """Always 0."""
        del offset
        return 0

    def write(self, offset: int, value: int) -> None:
        """Nothing happens."""
        del offset, value
