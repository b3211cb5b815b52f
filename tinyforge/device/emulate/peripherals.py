"""Memory-mapped devices of the emulated boards: Arm CMSDK UART and timer, and a system control space that ignores."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

_WORD = 0xFFFFFFFF
_DATA, _STATE = 0, 4
_SENDING, _RECEIVED, _OVERRUN = 1, 2, 8


class Line(Protocol):
    """The far end of a UART."""

    def arrived(self, clock: Callable[[], int], *, wait: bool) -> list[tuple[int, bytes]]:
        """(time by `clock`, bytes) of what was sent to the board since the last call; `wait`: wait a little for it."""

    def send(self, byte: int) -> None:
        """A byte from the board."""


class LineClock:
    """Time of the serial line in ticks: executed instructions, and what was skipped while the board only waited."""

    def __init__(self, instructions: Callable[[], int]) -> None:
        self._instructions = instructions
        self._skipped = 0

    def now(self) -> int:
        """Ticks since reset."""
        return self._instructions() + self._skipped

    def skip_to(self, tick: int) -> None:
        """Nothing happens before `tick`, which may be past."""
        self._skipped += max(0, tick - self.now())


class Uart:
    """CMSDK UART: DATA, STATE (bits 0 sending, 1 received byte waits, 3 overrun), CTRL, INTSTATUS, BAUDDIV.

    The receiver holds one byte and cannot stop the other side: a byte that comes while the last one was not read is
    lost, and STATE says so. byte_ticks: a byte on the wire (10 bits), in ticks of the clock; sending takes it too.
    A program that looks at STATE twice with nothing in between waits, and gets the next event at once.
    """

    def __init__(self, line: Line, clock: LineClock, byte_ticks: int) -> None:
        self._line, self._clock, self._byte_ticks = line, clock, byte_ticks
        self._held: int | None = None
        self._coming: deque[tuple[int, int]] = deque()
        self._last_arrival = self._sent_at = 0
        self._overrun = False
        self._polls = 0

    def read(self, offset: int) -> int:
        """Register at `offset`."""
        if offset == _STATE:
            self._polls += 1
            return self._state()
        self._polls = 0
        if offset == _DATA:
            self._advance()
            byte, self._held = self._held, None
            return byte or 0
        return 0

    def write(self, offset: int, value: int) -> None:
        """Register at `offset`."""
        self._polls = 0
        if offset == _DATA:
            self._line.send(value & 0xFF)
            self._sent_at = max(self._sent_at, self._clock.now()) + self._byte_ticks
        elif offset == _STATE and value & _OVERRUN:
            self._overrun = False

    def _state(self) -> int:
        self._advance()
        if self._polls > 1 and self._held is None:
            self._wait()
        sending = self._clock.now() < self._sent_at
        return sending * _SENDING | (self._held is not None) * _RECEIVED | self._overrun * _OVERRUN

    def _advance(self) -> None:
        """Every byte that is due by now takes the receiver, or is lost."""
        self._take(self._line.arrived(self._clock.now, wait=False))
        now = self._clock.now()
        while self._coming and self._coming[0][0] <= now:
            _, byte = self._coming.popleft()
            self._overrun |= self._held is not None
            self._held = byte if self._held is None else self._held

    def _take(self, chunks: list[tuple[int, bytes]]) -> None:
        for tick, data in chunks:
            for byte in data:
                self._last_arrival = max(self._last_arrival, tick) + self._byte_ticks
                self._coming.append((self._last_arrival, byte))

    def _wait(self) -> None:
        """The next event: a byte was sent, or one arrives."""
        if self._clock.now() >= self._sent_at and not self._coming:
            self._take(self._line.arrived(self._clock.now, wait=True))
        events = [self._coming[0][0]] if self._coming else []
        if self._clock.now() < self._sent_at:
            events.append(self._sent_at)
        if events:
            self._clock.skip_to(min(events))
            self._advance()


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
