"""The STM32F405 start-up against a model of its clock tree that enforces the reference manual's rules.

QEMU answers 0 for the reset and clock controller, so there the PLL path never runs. This model (RM0090: chapters 3, 5
and 7) makes it run, and records every rule broken: PLL ranges, bus limits, flash wait states and voltage scale before
the switch, peripherals used before their clock is on, baud rate.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.toy_build import write_toy_build
from tinyforge.device.emulate.hooks import arm_registers, unicorn_module
from tinyforge.device.emulate.machine import new_core, pages
from tinyforge.paths import firmware_dir
from tinyforge.target import load_board
from tinyforge.toolchain.elf import Image
from tinyforge.toolchain.firmware import build_firmware

RCC, PWR, FLASH, GPIOA, USART1 = 0x40023800, 0x40007000, 0x40023C00, 0x40020000, 0x40011000
HSI_HZ, HSE_HZ = 16_000_000, 8_000_000


class ClockTree:
    """Registers of RCC, PWR, FLASH, GPIOA and USART1; `problems` lists broken rules."""

    def __init__(self, crystal: bool) -> None:
        self.crystal = crystal
        self.registers: dict[int, int] = {RCC: 0x83, RCC + 4: 0x24003010}
        self.problems: list[str] = []
        self.sysclk = HSI_HZ

    def read(self, address: int) -> int:
        value = self.registers.get(address, 0)
        if address == RCC:
            hse = bool(value & 1 << 16) and self.crystal
            pll = bool(value & 1 << 24) and (hse or not self.registers.get(RCC + 4, 0) & 1 << 22)
            return value | hse << 17 | pll << 25
        if address == RCC + 8:
            return value & ~0xC | (value & 3) << 2
        if address == USART1:
            return 0xC0
        return value

    def write(self, address: int, value: int) -> None:
        self._check_clocked(address)
        self.registers[address] = value
        if address == RCC + 8:
            self._switch(value)

    def _check_clocked(self, address: int) -> None:
        owner = {GPIOA: (RCC + 0x30, 0), USART1: (RCC + 0x44, 4), PWR: (RCC + 0x40, 28)}
        for base, (enable, bit) in owner.items():
            if base <= address < base + 0x400 and not self.registers.get(enable, 0) >> bit & 1:
                self.problems.append(f"0x{address:08x} written before its clock was on")

    def pll_hz(self) -> int:
        """Output of the main PLL; notes values outside its ranges."""
        value = self.registers[RCC + 4]
        m, n, p, q = value & 0x3F, value >> 6 & 0x1FF, 2 * ((value >> 16 & 3) + 1), value >> 24 & 0xF
        source = HSE_HZ if value & 1 << 22 else HSI_HZ
        vco = source // m * n
        if not 950_000 <= source // m <= 2_100_000:
            self.problems.append(f"PLL input {source // m} Hz")
        if not 100_000_000 <= vco <= 432_000_000 or not 50 <= n <= 432:
            self.problems.append(f"VCO {vco} Hz")
        if vco // q > 48_000_000:
            self.problems.append(f"48 MHz domain at {vco // q} Hz")
        return vco // p

    def _switch(self, cfgr: int) -> None:
        if cfgr & 3 == 0:
            return
        if not self.read(RCC) & 1 << 25:
            self.problems.append("switched to a PLL that is not locked")
        self.sysclk = self.pll_hz()
        wait_states = self.registers.get(FLASH, 0) & 7
        if wait_states < (self.sysclk - 1) // 30_000_000:
            self.problems.append(f"wait states {wait_states} at {self.sysclk} Hz")
        if self.sysclk > 144_000_000 and not self.registers.get(PWR, 0) & 1 << 14:
            self.problems.append("voltage scale 2 above 144 MHz")
        if self.sysclk > 168_000_000 or self.apb(1) > 42_000_000 or self.apb(2) > 84_000_000:
            self.problems.append(f"clocks {self.sysclk}, {self.apb(1)}, {self.apb(2)} Hz")

    def apb(self, bus: int) -> int:
        """Clock of peripheral bus 1 or 2."""
        code = self.registers.get(RCC + 8, 0) >> (10 if bus == 1 else 13) & 7
        return self.sysclk >> (code - 3 if code >= 4 else 0)

    def baud(self) -> float:
        """Line speed that results."""
        return self.apb(2) / self.registers[USART1 + 8]


def boot(image: Image, crystal: bool) -> ClockTree:
    """Run start-up to the server's entry."""
    board = load_board("stm32f405")
    unicorn, arm = unicorn_module(), arm_registers()
    uc = new_core(board)
    tree = ClockTree(crystal)
    uc.mem_map(*pages(board.flash.origin, board.flash.end))
    uc.mem_map(*pages(board.banks[0].origin, board.banks[0].end))
    uc.mmio_map(
        0x40000000,
        0x30000,
        lambda _uc, offset, _size, _user: tree.read(0x40000000 + offset),
        None,
        lambda _uc, offset, _size, value, _user: tree.write(0x40000000 + offset, value),
        None,
    )
    uc.mmio_map(0xE0000000, 0x100000, lambda *_: 0, None, lambda *_: None, None)
    for segment in image.segments:
        uc.mem_write(segment.address, segment.data)
    uc.reg_write(arm.UC_ARM_REG_SP, image.address("tfb_stack_top"))
    end = image.address("tfb_cycles_init")
    uc.emu_start(image.address("Reset_Handler") | 1, end, timeout=120 * unicorn.UC_SECOND_SCALE)
    assert uc.reg_read(arm.UC_ARM_REG_PC) == end
    return tree


@pytest.fixture
def image(tmp_path: Path) -> Image:
    return build_firmware(write_toy_build(tmp_path / "toy"), load_board("stm32f405")).image()


def test_crystal_gives_168_mhz_and_no_rule_is_broken(image: Image) -> None:
    tree = boot(image, crystal=True)
    assert tree.problems == []
    assert (tree.sysclk, tree.apb(1), tree.apb(2)) == (168_000_000, 42_000_000, 84_000_000)
    assert tree.baud() == pytest.approx(115200, rel=0.005)
    assert tree.registers[GPIOA] >> 18 & 0xF == 0xA
    assert tree.registers[GPIOA + 0x24] >> 4 & 0xFF == 0x77


def test_without_a_crystal_the_line_still_works(image: Image) -> None:
    tree = boot(image, crystal=False)
    assert tree.problems == []
    assert tree.sysclk == HSI_HZ
    assert tree.baud() == pytest.approx(115200, rel=0.005)


@pytest.mark.parametrize(
    "line, problem",
    [
        ("FLASH_ACR = 5u", "wait states 0"),
        ("PWR_CR |=", "voltage scale 2"),
        ("RCC_APB2ENR |=", "before its clock was on"),
    ],
)
def test_the_model_catches_a_missing_line(
    tmp_path: Path, line: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model itself is tested with start-up code that lacks a step."""
    changed = tmp_path / "firmware"
    _copy_without(firmware_dir(), changed, line)
    monkeypatch.setattr("tinyforge.toolchain.firmware.firmware_dir", lambda: changed)
    firmware = build_firmware(write_toy_build(tmp_path / "toy"), load_board("stm32f405"))
    assert any(problem in found for found in boot(firmware.image(), crystal=True).problems)


def _copy_without(root: Path, target: Path, line: str) -> None:
    shutil.copytree(root, target)
    bsp = target / "bsp" / "stm32f405" / "bsp.c"
    kept = [text for text in bsp.read_text().splitlines() if line not in text]
    if line.startswith("FLASH_ACR"):
        kept = [text.replace("wait_for(&FLASH_ACR, 7u, 5u)", "core_hz") for text in kept]
    bsp.write_text("\n".join(kept) + "\n")
