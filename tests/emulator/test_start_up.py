"""Start-up of the nRF52840 and RP2 boards on models of their chips, then the protocol with exact outputs.

The RP2040's boot ROM is modelled too: it checks the second-stage boot loader, copies it to SRAM and calls it there. The
RP2350's looks for the image definition.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.chips.chip import Chip, ChipMachine
from tests.chips.esp32c3 import Esp32c3, Esp32c3Machine
from tests.chips.nrf52840 import NVMC_ICACHE, Nrf52840
from tests.chips.rp2 import BOOT_SRAM, FLASH, SSI, Rp2, boot2_checksum, image_def
from tests.toy_build import toy_expected, toy_inputs, write_toy_build
from tinyforge.device.client import DeviceClient
from tinyforge.device.emulate.hooks import unicorn_module
from tinyforge.device.flash.images import flash_content
from tinyforge.device.session import run_client
from tinyforge.paths import firmware_dir
from tinyforge.target import Board, load_board
from tinyforge.toolchain.firmware import Firmware, build_firmware

NRF = ("nrf52840dk", "arduino_nano_33_ble")
RP = ("rpi_pico", "rpi_pico2")


def powered(firmware: Firmware, chip: Chip) -> ChipMachine:
    """The chip after its boot ROM handed over."""
    board = firmware.board
    machine = ChipMachine(board, chip, firmware.image())
    content = flash_content(firmware.image().segments, board)
    if board.mcu == "RP2040":
        start_like_rp2040_rom(machine, content)
    else:
        assert board.mcu != "RP2350" or image_def(content) is not None, "the boot ROM finds no image"
        machine.start(board.flash.origin)
    return machine


def start_like_rp2040_rom(machine: ChipMachine, content: bytes) -> None:
    """Check and copy the first 256 bytes, run them there; they must end in the program's reset handler."""
    assert boot2_checksum(content) == int.from_bytes(content[252:256], "little"), "the boot ROM refuses the flash"
    machine.uc.mem_write(BOOT_SRAM, content[:256])
    entry = int.from_bytes(content[0x104:0x108], "little")
    machine.uc.emu_start(BOOT_SRAM | 1, entry & ~1, timeout=unicorn_module().UC_SECOND_SCALE)
    registers = machine.chip.registers
    assert registers[SSI + 8] == 1, "serial flash interface left off"
    assert (registers[SSI + 0xF4] >> 24, registers[SSI + 0xF4] >> 2 & 15, registers[SSI + 0xF4] >> 8 & 3) == (3, 6, 2)
    assert registers[SSI + 0x14] % 2 == 0
    machine.start(FLASH + 0x100)
    machine.pc = entry


def chip_of(board: Board, crystal: bool = True) -> Nrf52840 | Rp2:
    return Nrf52840(board, crystal) if board.mcu == "nRF52840" else Rp2(board, crystal)


@pytest.mark.parametrize(
    "name, baud", [*((n, 115200) for n in (*NRF, *RP)), ("nrf52840dk", 921600), ("rpi_pico2", 921600)]
)
def test_start_up_and_exact_answers(tmp_path: Path, name: str, baud: int) -> None:
    board = load_board(name)
    board = replace(board, uart=replace(board.uart, baud=baud))
    firmware = build_firmware(write_toy_build(tmp_path / "toy"), board)
    chip = chip_of(board)
    machine = powered(firmware, chip)
    inputs = toy_inputs(2)
    client = DeviceClient(machine)
    result = run_client(client, firmware.info, [inputs])
    np.testing.assert_array_equal(result.outputs[0], toy_expected(inputs))
    assert client.hello().clock_hz == board.clock_hz
    assert chip.problems == []
    # The nRF's own constant for 921600 gives 941176; receivers take 3 %.
    assert chip.baud() == pytest.approx(baud, rel=0.025 if name in NRF else 0.005)


@pytest.mark.parametrize("name", NRF)
def test_nrf_pins_cache_and_led(tmp_path: Path, name: str) -> None:
    board = load_board(name)
    chip = Nrf52840(board)
    powered(build_firmware(write_toy_build(tmp_path / "toy"), board), chip).run(until="tfb_cycles_init")
    assert board.uart.tx is not None
    assert board.uart.rx is not None
    assert board.led is not None
    assert chip.pins() == tuple(32 * pin.port + pin.number for pin in (board.uart.tx, board.uart.rx))
    assert chip.registers[NVMC_ICACHE] == 1
    assert chip.directions[board.led.pin.port] >> board.led.pin.number & 1
    level = 0x50C if board.led.active_low else 0x508
    assert chip.registers[0x50000000 + 0x300 * board.led.pin.port + level] >> board.led.pin.number & 1


@pytest.mark.parametrize("name", RP)
def test_rp2_pads_are_connected(tmp_path: Path, name: str) -> None:
    board = load_board(name)
    chip = Rp2(board)
    powered(build_firmware(write_toy_build(tmp_path / "toy"), board), chip).run(until="tfb_cycles_init")
    assert [chip.pad_isolated(pin) for pin in (0, 1, 25)] == [False] * 3
    assert [chip.registers[chip.map.io + 8 * pin + 4] for pin in (0, 1, 25)] == [2, 2, 5]
    assert chip.registers[chip.map.sio_oe] == 1 << 25


@pytest.mark.parametrize("name", [*NRF, *RP])
def test_without_a_crystal_the_server_is_reached(tmp_path: Path, name: str) -> None:
    board = load_board(name)
    chip = chip_of(board, crystal=False)
    powered(build_firmware(write_toy_build(tmp_path / "toy"), board), chip).run(until="tfb_serve")
    assert chip.problems == []


@pytest.mark.parametrize(
    "file, old, new, problem",
    [
        ("rp2/rp2_bsp.h", "RESET_UART | RESET_IO_BANK0 |", "RESET_IO_BANK0 |", "written while its block was in reset"),
        ("rp2/rp2_bsp.h", "PLL_PWR = 0u;", "", "not locked"),
        ("rp2/rp2_bsp.h", "CLK_PERI_CTRL = 1u << 11;", "", "peripheral clock is off"),
    ],
)
def test_the_model_catches_what_is_left_out(tmp_path: Path, file: str, old: str, new: str, problem: str) -> None:
    shutil.copytree(firmware_dir() / "bsp", tmp_path / "bsp")
    path = tmp_path / "bsp" / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    board = load_board("rpi_pico2")
    board = replace(board, bsp_dir=tmp_path / "bsp" / board.bsp)
    chip = Rp2(board)
    powered(build_firmware(write_toy_build(tmp_path / "toy"), board), chip).run(until="tfb_cycles_init")
    chip.baud()
    assert any(problem in found for found in chip.problems), chip.problems


@pytest.mark.parametrize("baud", [115200, 921600])
def test_esp32c3_starts_directly_and_answers(tmp_path: Path, baud: int) -> None:
    """Constants are read through the other view of the flash; cycles come from the core's own counter."""
    board = load_board("esp32c3_devkitm")
    board = replace(board, uart=replace(board.uart, baud=baud))
    firmware = build_firmware(write_toy_build(tmp_path / "toy"), board)
    chip = Esp32c3(board)
    machine = Esp32c3Machine(board, chip, firmware.image(), flash_content(firmware.image().segments, board))
    inputs = toy_inputs(2)
    client = DeviceClient(machine)
    result = run_client(client, firmware.info, [inputs])
    np.testing.assert_array_equal(result.outputs[0], toy_expected(inputs))
    assert (client.hello().clock_hz, chip.core_hz()) == (160_000_000, 160_000_000)
    assert chip.watchdogs == set()
    assert chip.problems == []
    assert chip.baud() == pytest.approx(baud, rel=0.005)
    assert result.cycles


def test_boot_roms_refuse_damaged_images(tmp_path: Path) -> None:
    """One bit of the boot loader or of the image definition is enough."""
    pico, pico2 = (build_firmware(write_toy_build(tmp_path / name), load_board(name)) for name in RP)
    content = bytearray(flash_content(pico.image().segments, pico.board))
    content[10] ^= 1
    with pytest.raises(AssertionError, match="refuses the flash"):
        start_like_rp2040_rom(ChipMachine(pico.board, Rp2(pico.board), pico.image()), bytes(content))
    content = bytearray(flash_content(pico2.image().segments, pico2.board))
    at = image_def(bytes(content))
    assert at is not None
    content[at + 5] ^= 1
    assert image_def(bytes(content)) is None
