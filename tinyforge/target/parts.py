"""The parts of a board: memories, flash geometry, pins, serial port, LED, emulator."""

from __future__ import annotations

from dataclasses import dataclass

# Deepest low-power state in which a memory keeps its content.
RETENTION = ("none", "sleep", "stop", "standby")
QEMU_BOOTS = ("kernel", "vectors", "origin")


@dataclass(frozen=True, slots=True)
class MemoryBank:
    """A contiguous memory. `origin` and `size` in bytes; `wait_states` in cycles per access.

    `speed` orders the SRAM banks of a board: 0 is the fastest (tightly coupled), larger is slower. dma: whether the
    DMA controllers reach it. retention: deepest state of RETENTION in which it keeps its content. Of flash with wait
    states: one access brings `line_bytes`, and `cache_bytes` of code are kept (0: only the line at hand).
    """

    name: str
    origin: int
    size: int
    wait_states: int = 0
    speed: int = 0
    dma: bool = True
    retention: str = "stop"
    line_bytes: int = 16
    cache_bytes: int = 0

    @property
    def end(self) -> int:
        """First address behind the bank."""
        return self.origin + self.size


@dataclass(frozen=True, slots=True)
class SectorRun:
    """`count` erase units of `size` bytes each."""

    count: int
    size: int


@dataclass(frozen=True, slots=True)
class FlashGeometry:
    """Erase units in address order, and the bytes programmed at once. Both empty where nobody erases (emulators).

    data_origin: address at which constants are read, where code and data see the flash at different ones.
    """

    sectors: tuple[SectorRun, ...] = ()
    write_bytes: int = 1
    data_origin: int | None = None

    @property
    def size(self) -> int:
        """Bytes of all sectors."""
        return sum(run.count * run.size for run in self.sectors)

    def sectors_of(self, begin: int, end: int) -> tuple[tuple[int, int], ...]:
        """(offset, size) of the sectors that hold [begin, end), offsets from the flash's origin."""
        found = []
        at = 0
        for run in self.sectors:
            for _ in range(run.count):
                if at < end and at + run.size > begin:
                    found.append((at, run.size))
                at += run.size
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Pin:
    """A pin by its name on the chip (`PA2`, `P0.06`, `GP25`): port number from 0, pin number in it."""

    name: str
    port: int
    number: int


@dataclass(frozen=True, slots=True)
class Uart:
    """The serial port the protocol uses: register block address and line speed in baud.

    name: the peripheral, e.g. `USART2`. tx, rx: pins as the chip names them. function: alternate function number
    of both pins, where the chip has such numbers.
    """

    base: int
    baud: int
    name: str = ""
    tx: Pin | None = None
    rx: Pin | None = None
    function: int = 0


@dataclass(frozen=True, slots=True)
class Led:
    """An LED the firmware lights when it runs; active_low: lit by a low level."""

    pin: Pin
    active_low: bool


@dataclass(frozen=True, slots=True)
class QemuMachine:
    """How QEMU runs this board: machine name, rate of the cycle source there in Hz, and which of the machine's
    serial ports (0, 1, ...) is the board's.

    boot: one of QEMU_BOOTS. `kernel`: QEMU knows where the flash is; `vectors`: the flash's first two words go to
    address 0, where the core looks for them, the flash to its origin; `origin`: the flash goes to its origin, where
    the machine starts.
    """

    machine: str
    cycle_hz: int
    boot: str = "kernel"
    serial: int = 0
