"""STM32 F4, F7, H7 and L4: clock trees with the limits of their manuals, GPIO and USART clocks, line speed.

The limits are data (`LIMITS`), the trees are classes. Written from RM0090, RM0390, RM0402 (F4), RM0385, RM0410 (F7),
RM0433 (H7), RM0351 and RM0432 (L4): flash access time tables, PLL ranges, bus limits, voltage scales.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.chips.chip import Chip
from tinyforge.target import Board

MHZ = 1_000_000


@dataclass(frozen=True)
class Limits:
    """Rates in Hz. flash: (highest core or AXI clock, wait states it needs). scales: highest clock by voltage scale."""

    flash: tuple[tuple[int, int], ...]
    scales: dict[str, int]
    apb1: int
    apb2: int


_BY_30 = tuple((30 * MHZ * (n + 1), n) for n in range(8))
LIMITS = {
    "STM32F405": Limits(_BY_30[:6], {"2": 144 * MHZ, "1": 168 * MHZ}, 42 * MHZ, 84 * MHZ),
    "STM32F407": Limits(_BY_30[:6], {"2": 144 * MHZ, "1": 168 * MHZ}, 42 * MHZ, 84 * MHZ),
    "STM32F412": Limits(
        ((30 * MHZ, 0), (64 * MHZ, 1), (90 * MHZ, 2), (100 * MHZ, 3)),
        {"3": 64 * MHZ, "2": 84 * MHZ, "1": 100 * MHZ},
        50 * MHZ,
        100 * MHZ,
    ),
    "STM32F446": Limits(
        _BY_30[:6],
        {"3": 120 * MHZ, "2": 144 * MHZ, "1": 168 * MHZ, "1 with over-drive": 180 * MHZ},
        45 * MHZ,
        90 * MHZ,
    ),
    "STM32F7": Limits(
        _BY_30,
        {"3": 144 * MHZ, "2": 168 * MHZ, "1": 180 * MHZ, "1 with over-drive": 216 * MHZ},
        54 * MHZ,
        108 * MHZ,
    ),
    "STM32H7": Limits(
        ((70 * MHZ, 0), (140 * MHZ, 1), (210 * MHZ, 2), (225 * MHZ, 3), (240 * MHZ, 4)),
        {"3": 200 * MHZ, "2": 300 * MHZ, "1": 400 * MHZ, "0": 480 * MHZ},
        120 * MHZ,
        120 * MHZ,
    ),
    "STM32L47": Limits(
        tuple((16 * MHZ * (n + 1), n) for n in range(5)), {"1": 80 * MHZ, "2": 26 * MHZ}, 80 * MHZ, 80 * MHZ
    ),
    "STM32L4R": Limits(
        tuple((20 * MHZ * (n + 1), n) for n in range(6)),
        {"1": 80 * MHZ, "1 with boost": 120 * MHZ, "2": 26 * MHZ},
        120 * MHZ,
        120 * MHZ,
    ),
}


def limits_of(mcu: str) -> Limits:
    """Of the longest family name `mcu` starts with."""
    return LIMITS[max((name for name in LIMITS if mcu.startswith(name)), key=len)]


class Stm32(Chip):
    """What the families share: rules about switching, GPIO and USART clocks, the USART."""

    gpio_base = 0x40020000

    def __init__(self, board: Board, crystal: bool = True) -> None:
        super().__init__(crystal)
        self.board = board
        self.limits = limits_of(board.mcu)
        self.source_hz = dict(board.settings).get("source_hz", 0)
        self.sysclk = self.reset_hz

    @property
    def reset_hz(self) -> int:
        """Clock after reset."""
        return 16 * MHZ

    @property
    def has_usart_v1(self) -> bool:
        """SR and DR (F4) rather than ISR, RDR, TDR."""
        return self.board.mcu.startswith("STM32F4")

    def gpio_on(self, port: int) -> bool:
        """Whether the port's clock is on."""
        raise NotImplementedError

    def uart_on(self) -> bool:
        """Whether the serial port's clock is on."""
        raise NotImplementedError

    def uart_clock(self) -> int:
        """Kernel clock of the serial port in Hz."""
        raise NotImplementedError

    def check_clocked(self, address: int) -> None:
        """Writes to a peripheral whose clock is off are lost."""
        port = (address - self.gpio_base) // 0x400
        if 0 <= port < 11 and not self.gpio_on(port):
            self.note(f"GPIO port {chr(ord('A') + port)} written before its clock was on")
        if self.is_uart(address) and not self.uart_on():
            self.note("serial port written before its clock was on")

    def is_uart(self, address: int) -> bool:
        """Whether `address` is in the board's serial port."""
        return 0 <= address - self.board.uart.base < 0x400

    def write_register(self, address: int, value: int) -> None:
        self.check_clocked(address)
        self.registers[address] = value
        offset = address - self.board.uart.base
        if self.is_uart(address) and offset == (0x04 if self.has_usart_v1 else 0x28):
            self.send(value)

    def read_uart(self, offset: int) -> int | None:
        """A register of the serial port with life in it."""
        state, data = (0x00, 0x04) if self.has_usart_v1 else (0x1C, 0x24)
        if offset == state:
            return 0xC0 | (0x20 if self.look() else 0)
        return self.take() if offset == data else None

    def read_register(self, address: int) -> int:
        if self.is_uart(address):
            alive = self.read_uart(address - self.board.uart.base)
            if alive is not None:
                return alive
        return super().read_register(address)

    def pin_function(self, port: int, pin: int) -> tuple[int, int]:
        """(mode, alternate function) of a pin."""
        base = self.gpio_base + 0x400 * port
        mode = self.registers.get(base, 0) >> 2 * pin & 3
        return mode, self.registers.get(base + 0x20 + 4 * (pin // 8), 0) >> 4 * (pin % 8) & 15

    def baud(self) -> float:
        base = self.board.uart.base
        divider = self.registers[base + (0x08 if self.has_usart_v1 else 0x0C)]
        clock = self.uart_clock()
        if self.board.uart.name.startswith("LPUART"):
            if not 0x300 <= divider <= 0xFFFFF:
                self.note(f"LPUART divider {divider}")
            return clock * 256 / divider
        if not 16 <= divider <= 0xFFFF:
            self.note(f"USART divider {divider}")
        return clock / divider

    def check_speed(self, core: int, flash_hz: int, wait_states: int, scale: str) -> None:
        """The rules of a switch: flash wait states for `flash_hz`, voltage scale for `core`."""
        needed = next((states for limit, states in self.limits.flash if flash_hz <= limit), None)
        if needed is None:
            self.note(f"flash at {flash_hz} Hz")
        elif wait_states < needed:
            self.note(f"wait states {wait_states} at {flash_hz} Hz, {needed} are needed")
        if core > self.limits.scales.get(scale, 0):
            self.note(f"voltage scale {scale} at {core} Hz")

    def check_buses(self, apb1: int, apb2: int) -> None:
        """Peripheral buses within their limits."""
        if apb1 > self.limits.apb1 or apb2 > self.limits.apb2:
            self.note(f"buses at {apb1} and {apb2} Hz")

    def check_range(self, what: str, hz: int, low: int, high: int) -> None:
        """`hz` in [low, high]."""
        if not low <= hz <= high:
            self.note(f"{what} {hz} Hz")


class Stm32F4F7(Stm32):
    """RCC at 0x40023800: F4 and F7."""

    RCC, PWR, FLASH = 0x40023800, 0x40007000, 0x40023C00

    def __init__(self, board: Board, crystal: bool = True) -> None:
        super().__init__(board, crystal)
        self.registers |= {self.RCC: 0x83, self.RCC + 4: 0x24003010, self.PWR: 0xC000}
        if board.mcu.startswith(("STM32F405", "STM32F407")):
            self.registers[self.PWR] = 0x4000

    def read_register(self, address: int) -> int:
        value = super().read_register(address)
        if address == self.RCC:
            hse = bool(value & 1 << 16) and self.crystal
            pll = bool(value & 1 << 24) and (hse or not self.registers[self.RCC + 4] & 1 << 22)
            return value | hse << 17 | pll << 25
        if address == self.RCC + 8:
            return value & ~0xC | (value & 3) << 2
        if address == self.PWR + 4:
            return 1 << 14 | self.registers[self.PWR] & 3 << 16
        return value

    def write_register(self, address: int, value: int) -> None:
        super().write_register(address, value)
        if self.PWR <= address < self.PWR + 8 and not self.registers.get(self.RCC + 0x40, 0) >> 28 & 1:
            self.note("PWR written before its clock was on")
        if address == self.RCC + 8 and value & 3:
            self._switch(value)

    def _switch(self, cfgr: int) -> None:
        if not self.read_register(self.RCC) & 1 << 25:
            self.note("switched to a PLL that is not locked")
        self.sysclk = self._pll_hz()
        self.check_speed(self.sysclk, self.sysclk, self.registers.get(self.FLASH, 0) & 15, self._scale())
        self.check_buses(self._apb(cfgr >> 10), self._apb(cfgr >> 13))

    def _scale(self) -> str:
        power = self.registers[self.PWR]
        if self.board.mcu.startswith(("STM32F405", "STM32F407")):
            return "1" if power >> 14 & 1 else "2"
        return {3: "1", 2: "2", 1: "3"}.get(power >> 14 & 3, "?") + (" with over-drive" if power >> 16 & 3 == 3 else "")

    def _pll_hz(self) -> int:
        value = self.registers[self.RCC + 4]
        m, n, p, q = value & 0x3F, value >> 6 & 0x1FF, 2 * ((value >> 16 & 3) + 1), value >> 24 & 0xF
        source = self.source_hz if value & 1 << 22 else 16 * MHZ
        self.check_range("PLL input", source // m, 950_000, 2_100_000)
        self.check_range("VCO", source // m * n, 100 * MHZ, 432 * MHZ)
        self.check_range("48 MHz domain", source // m * n // q, 1, 48 * MHZ)
        return source // m * n // p

    def _apb(self, code: int) -> int:
        return self.sysclk >> ((code & 7) - 3 if code & 4 else 0)

    def gpio_on(self, port: int) -> bool:
        return bool(self.registers.get(self.RCC + 0x30, 0) >> port & 1)

    def uart_on(self) -> bool:
        base = self.board.uart.base
        if base >= 0x40010000:
            return bool(self.registers.get(self.RCC + 0x44, 0) >> (4 if base == 0x40011000 else 5) & 1)
        return bool(self.registers.get(self.RCC + 0x40, 0) >> (17 + (base - 0x40004400) // 0x400) & 1)

    def uart_clock(self) -> int:
        cfgr = self.registers.get(self.RCC + 8, 0)
        return self._apb(cfgr >> 13 if self.board.uart.base >= 0x40010000 else cfgr >> 10)


class Stm32H7(Stm32):
    """RCC at 0x58024400. revision: 0x2003 is V, 0x1003 is Y, which has no voltage scale 0."""

    gpio_base = 0x58020000
    RCC, PWR, FLASH, SYSCFG_PWRCR = 0x58024400, 0x58024800, 0x52002000, 0x5800042C

    def __init__(self, board: Board, crystal: bool = True, revision: int = 0x2003) -> None:
        super().__init__(board, crystal)
        self.revision = revision
        self.registers |= {self.RCC: 0x83, self.FLASH: 0x37, self.PWR + 0x0C: 0x06, 0x5C001000: revision << 16 | 0x450}
        self.registers |= {self.RCC + 0x28: 0x02020200, self.RCC + 0x2C: 0x01FF0000, self.RCC + 0x30: 0x01010280}

    @property
    def reset_hz(self) -> int:
        return 64 * MHZ

    def read_register(self, address: int) -> int:
        value = super().read_register(address)
        if address == self.RCC:
            hse = bool(value & 1 << 16) and self.crystal
            pll = bool(value & 1 << 24) and (hse or self.registers[self.RCC + 0x28] & 3 != 2)
            return value | hse << 17 | pll << 25
        if address == self.RCC + 0x10:
            return value & ~0x38 | (value & 7) << 3
        if address in (self.PWR + 4, self.PWR + 0x18):
            return value | 1 << 13
        return value

    def write_register(self, address: int, value: int) -> None:
        super().write_register(address, value)
        if address == self.SYSCFG_PWRCR:
            if not self.registers.get(self.RCC + 0xF4, 0) >> 1 & 1:
                self.note("SYSCFG written before its clock was on")
            if self.revision < 0x2003 and value & 1:
                self.note("voltage scale 0 on a chip that has none")
        if address == self.PWR + 0x0C and value & 7 not in (2, 6):
            self.note(f"supply {value & 7}: the board has the linear regulator")
        if address == self.RCC + 0x10 and value & 7:
            self._switch()

    def _switch(self) -> None:
        if not self.read_register(self.RCC) & 1 << 25:
            self.note("switched to a PLL that is not locked")
        self.sysclk = self._pll_hz()
        axi = self.sysclk // self._axi_div()
        scale = {3: "1", 2: "2", 1: "3"}.get(self.registers.get(self.PWR + 0x18, 0) >> 14 & 3, "3")
        if scale == "1" and self.registers.get(self.SYSCFG_PWRCR, 0) & 1:
            scale = "0"
        self.check_speed(self.sysclk, axi, self.registers[self.FLASH] & 15, scale)
        self.check_buses(axi // self._apb_div(4), axi // self._apb_div(8))
        if scale != "0":
            self.check_range("AXI", axi, 1, 200 * MHZ)

    def _axi_div(self) -> int:
        code = self.registers.get(self.RCC + 0x18, 0) & 15
        return 1 << code - 7 if code & 8 else 1

    def _apb_div(self, shift: int) -> int:
        code = self.registers.get(self.RCC + 0x1C, 0) >> shift & 7
        return 1 << code - 3 if code & 4 else 1

    def _pll_hz(self) -> int:
        select, config, dividers = (self.registers[self.RCC + at] for at in (0x28, 0x2C, 0x30))
        m, n, p = select >> 4 & 63, (dividers & 0x1FF) + 1, (dividers >> 9 & 0x7F) + 1
        source = self.source_hz if select & 3 == 2 else 64 * MHZ
        low, high = [(1, 2), (2, 4), (4, 8), (8, 16)][config >> 2 & 3]
        self.check_range("PLL input", source // m, low * MHZ, high * MHZ)
        if config & 2:
            self.note("narrow VCO")
        self.check_range("VCO", source // m * n, 192 * MHZ, (960 if self.revision >= 0x2003 else 836) * MHZ)
        if not config >> 16 & 1:
            self.note("PLL output P is off")
        if p % 2 and p != 1:
            self.note(f"PLL divider P {p}")
        return source // m * n // p

    def gpio_on(self, port: int) -> bool:
        return bool(self.registers.get(self.RCC + 0xE0, 0) >> port & 1)

    def uart_on(self) -> bool:
        base = self.board.uart.base
        if base == 0x40011000:
            return bool(self.registers.get(self.RCC + 0xF0, 0) >> 4 & 1)
        return bool(self.registers.get(self.RCC + 0xE8, 0) >> (17 + (base - 0x40004400) // 0x400) & 1)

    def uart_clock(self) -> int:
        return self.sysclk // self._axi_div() // self._apb_div(8 if self.board.uart.base == 0x40011000 else 4)


class Stm32L4(Stm32):
    """RCC at 0x40021000; the PLL runs from HSI16. `crystal=False` means an RC oscillator that does not start."""

    gpio_base = 0x48000000
    RCC, PWR, FLASH = 0x40021000, 0x40007000, 0x40022000

    def __init__(self, board: Board, crystal: bool = True) -> None:
        super().__init__(board, crystal)
        self.registers |= {self.RCC: 0x63, self.RCC + 0x0C: 0x1000, self.PWR: 0x200, self.PWR + 0x80: 0x100}

    @property
    def reset_hz(self) -> int:
        return 4 * MHZ

    def read_register(self, address: int) -> int:
        value = super().read_register(address)
        if address == self.RCC:
            hsi = bool(value & 1 << 8) and self.crystal
            pll = bool(value & 1 << 24) and hsi and self.registers[self.RCC + 0x0C] & 3 == 2
            return value | hsi << 10 | pll << 25
        if address == self.RCC + 8:
            return value & ~0xC | (value & 3) << 2
        return value

    def write_register(self, address: int, value: int) -> None:
        super().write_register(address, value)
        if self.PWR <= address < self.PWR + 0x100 and not self.registers.get(self.RCC + 0x58, 0) >> 28 & 1:
            self.note("PWR written before its clock was on")
        if address == self.RCC + 8:
            self._switch(value)
        on_port_g = self.board.uart.tx is not None and self.board.uart.tx.name.startswith("PG")
        if self.is_uart(address) and on_port_g and not self.registers.get(self.PWR + 4, 0) >> 9 & 1:
            self.note("pins of port G without their supply")

    def _switch(self, cfgr: int) -> None:
        if cfgr & 3 == 0:
            return
        if not self.read_register(self.RCC) & 1 << 25:
            self.note("switched to a PLL that is not locked")
        before, code = self.sysclk, cfgr >> 4 & 15
        self.sysclk = self._pll_hz() >> (code - 7 if code & 8 else 0)
        scale = {1: "1", 2: "2"}.get(self.registers[self.PWR] >> 9 & 3, "?")
        if scale == "1" and not self.registers[self.PWR + 0x80] >> 8 & 1:
            scale = "1 with boost"
        self.check_speed(self.sysclk, self.sysclk, self.registers.get(self.FLASH, 0) & 7, scale)
        self.check_buses(self.sysclk >> self._apb(cfgr, 8), self.sysclk >> self._apb(cfgr, 11))
        if self.sysclk > 80 * MHZ and before < self.sysclk // 2:
            self.note(f"clock jumps from {before} to {self.sysclk} Hz")

    @staticmethod
    def _apb(cfgr: int, shift: int) -> int:
        code = cfgr >> shift & 7
        return code - 3 if code & 4 else 0

    def _pll_hz(self) -> int:
        value = self.registers[self.RCC + 0x0C]
        m, n, r = (value >> 4 & 7) + 1, value >> 8 & 0x7F, 2 * ((value >> 25 & 3) + 1)
        self.check_range("PLL input", 16 * MHZ // m, 4 * MHZ, 16 * MHZ)
        self.check_range("VCO", 16 * MHZ // m * n, 64 * MHZ, 344 * MHZ)
        if not value >> 24 & 1:
            self.note("PLL output R is off")
        return 16 * MHZ // m * n // r

    def gpio_on(self, port: int) -> bool:
        return bool(self.registers.get(self.RCC + 0x4C, 0) >> port & 1)

    def uart_on(self) -> bool:
        base = self.board.uart.base
        if base == 0x40008000:
            return bool(self.registers.get(self.RCC + 0x5C, 0) & 1)
        if base == 0x40013800:
            return bool(self.registers.get(self.RCC + 0x60, 0) >> 14 & 1)
        return bool(self.registers.get(self.RCC + 0x58, 0) >> (17 + (base - 0x40004400) // 0x400) & 1)

    def uart_clock(self) -> int:
        return self.sysclk


def stm32(board: Board, crystal: bool = True) -> Stm32:
    """The model of a board's chip."""
    family = {"stm32f4": Stm32F4F7, "stm32f7": Stm32F4F7, "stm32h7": Stm32H7, "stm32l4": Stm32L4}[board.bsp]
    return family(board, crystal)
