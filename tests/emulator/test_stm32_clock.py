"""Start-up of every STM32 board against a model of its clock tree that enforces the reference manual's rules.

QEMU answers 0 for the reset and clock controller, so there the PLL path never runs. The models (tests/chips/stm32.py)
make it run, and record every rule broken: PLL ranges, bus limits, flash wait states and voltage scale before the
switch, peripherals used before their clock is on, caches turned on before they were invalidated. Then the whole
protocol runs over the modelled serial port, and the model on the board answers as the reference does.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.chips.chip import CCR, ChipMachine
from tests.chips.stm32 import Stm32, Stm32H7, stm32
from tests.toy_build import toy_expected, toy_inputs, write_toy_build
from tinyforge.device.client import DeviceClient
from tinyforge.device.session import run_client
from tinyforge.paths import firmware_dir
from tinyforge.target import Board, board_names, load_board
from tinyforge.toolchain.firmware import build_firmware

BOARDS = tuple(name for name in board_names() if load_board(name).bsp.startswith("stm32"))
# One board of each start-up code, and of each kind of serial port.
FAMILIES = ("nucleo_f446re", "nucleo_f746zg", "nucleo_h743zi2", "nucleo_l476rg", "nucleo_l4r5zi")
# Every board at the usual rate, one of each way to compute a divider at the fast one.
RATES = (
    *((name, 115200) for name in BOARDS),
    *((name, 921600) for name in ("nucleo_f446re", "nucleo_h743zi2", "nucleo_l4r5zi")),
)


def boot(folder: Path, board: Board, chip: Stm32) -> ChipMachine:
    """Run start-up to the server's entry."""
    machine = ChipMachine(board, chip, build_firmware(write_toy_build(folder / "toy"), board).image())
    machine.start(board.flash.origin)
    machine.run(until="tfb_cycles_init")
    return machine


def with_baud(board: Board, baud: int) -> Board:
    return replace(board, uart=replace(board.uart, baud=baud))


@pytest.mark.parametrize("name, baud", RATES)
def test_full_clock_and_no_rule_is_broken(tmp_path: Path, name: str, baud: int) -> None:
    board = with_baud(load_board(name), baud)
    chip = stm32(board)
    boot(tmp_path, board, chip)
    assert chip.problems == []
    assert chip.sysclk == board.clock_hz
    assert chip.baud() == pytest.approx(baud, rel=0.01)
    for pin in (board.uart.tx, board.uart.rx):
        assert pin is not None
        assert chip.pin_function(pin.port, pin.number) == (2, board.uart.function)
    if board.led is not None:
        assert chip.pin_function(board.led.pin.port, board.led.pin.number)[0] == 1
    assert bool(chip.registers.get(CCR, 0) >> 16 & 3) == (board.core.name == "cortex-m7")


@pytest.mark.parametrize("name", FAMILIES)
def test_without_its_source_the_chip_stays_on_its_own_oscillator_and_talks(tmp_path: Path, name: str) -> None:
    board = load_board(name)
    chip = stm32(board, crystal=False)
    boot(tmp_path, board, chip)
    assert chip.problems == []
    assert chip.sysclk == chip.reset_hz
    assert chip.baud() == pytest.approx(115200, rel=0.02)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_protocol_runs_and_outputs_are_exact(tmp_path: Path, name: str) -> None:
    board = load_board(name)
    build = write_toy_build(tmp_path / "toy")
    firmware = build_firmware(build, board)
    chip = stm32(board)
    machine = ChipMachine(board, chip, firmware.image())
    machine.start(board.flash.origin)
    inputs = toy_inputs(2)
    client = DeviceClient(machine)
    result = run_client(client, firmware.info, [inputs])
    np.testing.assert_array_equal(result.outputs[0], toy_expected(inputs))
    assert client.hello().clock_hz == board.clock_hz
    assert chip.problems == []


def test_an_old_h743_stays_at_what_it_can(tmp_path: Path) -> None:
    """Revision Y has no voltage scale 0: 400 MHz."""
    board = load_board("nucleo_h743zi2")
    chip = Stm32H7(board, revision=0x1003)
    boot(tmp_path, board, chip)
    assert chip.problems == []
    assert chip.sysclk == 400_000_000
    assert chip.baud() == pytest.approx(115200, rel=0.01)


F4F7 = "stm32/stm32_rcc_f4_f7.h"
MUTATIONS = (
    (
        "stm32f405",
        F4F7,
        [
            ("FLASH_ACR = TFB_FLASH_WAIT_STATES |", "FLASH_ACR ="),
            ("&FLASH_ACR, 15u, TFB_FLASH_WAIT_STATES", "&RCC_CR, 0u, 0u"),
        ],
        "wait states 0",
    ),
    (
        "stm32f405",
        F4F7,
        [("PWR_CR = (PWR_CR & ~(TFB_CLOCK_VOS << 14)) | (TFB_CLOCK_VOS << 14)", "PWR_CR = 0u")],
        "voltage scale 2",
    ),
    ("stm32f405", F4F7, [("RCC_APB1ENR |= 1u << 28;", "")], "PWR written before"),
    ("stm32f405", F4F7, [("RCC_APB2ENR |= 1u << 4;", "")], "serial port written before"),
    ("stm32f405", F4F7, [("RCC_AHB1ENR |= 1u << port;", "(void)port;")], "GPIO port A written before"),
    ("nucleo_f446re", F4F7, [("#if TFB_CLOCK_OVERDRIVE", "#if 0")], "voltage scale 1 at 180000000"),
    ("nucleo_f446re", F4F7, [("bus_code(TFB_CLOCK_APB1_DIV)", "bus_code(2u)")], "buses at 90000000"),
    (
        "nucleo_f746zg",
        F4F7,
        [
            ("FLASH_ACR = TFB_FLASH_WAIT_STATES", "FLASH_ACR = 6u"),
            ("&FLASH_ACR, 15u, TFB_FLASH_WAIT_STATES", "&RCC_CR, 0u, 0u"),
        ],
        "wait states 6",
    ),
    ("nucleo_f746zg", F4F7, [("#if TFB_CLOCK_OVERDRIVE", "#if 0")], "voltage scale 1 at 216000000"),
    (
        "nucleo_h743zi2",
        "stm32h7/bsp.c",
        [
            ("FLASH_ACR = TFB_FLASH_WAIT_STATES", "FLASH_ACR = 2u"),
            ("&FLASH_ACR, 15u, TFB_FLASH_WAIT_STATES", "&RCC_CR, 0u, 0u"),
        ],
        "wait states 2",
    ),
    ("nucleo_h743zi2", "stm32h7/bsp.c", [("SYSCFG_PWRCR |= 1u;", "")], "voltage scale 1 at 480000000"),
    ("nucleo_h743zi2", "stm32h7/bsp.c", [("RCC_D1CFGR = 8u |", "RCC_D1CFGR =")], "flash at 480000000"),
    (
        "nucleo_l476rg",
        "stm32l4/bsp.c",
        [
            ("FLASH_ACR = TFB_FLASH_WAIT_STATES", "FLASH_ACR = 3u"),
            ("&FLASH_ACR, 7u, TFB_FLASH_WAIT_STATES", "&RCC_CR, 0u, 0u"),
        ],
        "wait states 3",
    ),
    ("nucleo_l4r5zi", "stm32l4/bsp.c", [("PWR_CR5 &= ~(1u << 8);", "")], "voltage scale 1 at 120000000"),
    ("nucleo_l4r5zi", "stm32l4/bsp.c", [("RCC_CFGR |= 8u << 4;", "")], "clock jumps"),
    ("nucleo_l4r5zi", "stm32l4/bsp.c", [("PWR_CR2 |= 1u << 9;", "")], "without their supply"),
)


@pytest.mark.parametrize("name, file, changes, problem", MUTATIONS)
def test_the_model_catches_what_is_left_out(
    tmp_path: Path, name: str, file: str, changes: Sequence[tuple[str, str]], problem: str
) -> None:
    """The models themselves are tested with start-up code that lacks a step."""
    shutil.copytree(firmware_dir() / "bsp", tmp_path / "bsp")
    path = tmp_path / "bsp" / file
    text = path.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    board = load_board(name)
    board = replace(board, bsp_dir=tmp_path / "bsp" / board.bsp)
    chip = stm32(board)
    boot(tmp_path, board, chip)
    assert any(problem in found for found in chip.problems), chip.problems


def test_caches_must_be_invalidated_first(tmp_path: Path) -> None:
    board = load_board("nucleo_f746zg")
    chip = stm32(board)
    chip.write_system(CCR, 3 << 16)
    assert chip.problems == ["data cache on before it was invalidated"]
