"""Boards to hold in the hand: their firmware builds with every compiler; where QEMU has the chip, it runs there."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.board.cable import qemu_on_a_pty
from tests.chips.chip import ChipMachine
from tests.chips.esp32c3 import Esp32c3, Esp32c3Machine
from tests.chips.nrf52840 import Nrf52840
from tests.chips.rp2 import Rp2
from tests.chips.stm32 import stm32
from tests.shared import golden, shared_model
from tests.toy_build import toy_expected, toy_inputs, write_toy_build
from tinyforge.api.compile import compile as compile_model
from tinyforge.device.board import Line, run_board
from tinyforge.device.client import DeviceClient
from tinyforge.device.flash import flash_firmware
from tinyforge.device.flash.emulated import flash_file
from tinyforge.device.flash.images import flash_content
from tinyforge.device.session import run_client
from tinyforge.device.transport import SerialTransport
from tinyforge.errors import UsageError
from tinyforge.target import board_names, load_board
from tinyforge.toolchain.firmware import Firmware, build_firmware

BOARDS = tuple(load_board(name) for name in board_names())
WITH_FIRMWARE = tuple(board.name for board in BOARDS if board.bsp_dir is not None)
IN_QEMU = tuple(board.name for board in BOARDS if board.qemu is not None)
HARDWARE_IN_QEMU = tuple(board.name for board in BOARDS if board.qemu is not None and board.is_hardware)
KWS = "mlperf_kws_dscnn_int8"
needs_qemu = pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="no qemu-system-arm")


@pytest.fixture(scope="module")
def kws(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Least SRAM: it fits every board, 16 KiB of them too."""
    folder = tmp_path_factory.mktemp("kws") / "kws"
    compile_model(shared_model(KWS), board="nucleo_l4r5zi", objective="sram", out=folder)
    return folder


@pytest.mark.long
@pytest.mark.parametrize("name", WITH_FIRMWARE)
def test_kws_builds_without_a_warning_on_every_board(kws: Path, name: str) -> None:
    """Warnings are errors in every object; what fits is linked by both compilers."""
    board = load_board(name)
    gcc = "riscv64-unknown-elf-gcc" if board.core.is_riscv else "arm-none-eabi-gcc"
    compilers = ["zig", *(["gcc"] if shutil.which(gcc) else [])]
    for toolchain in compilers:
        firmware = build_firmware(kws, board, toolchain)
        assert firmware.flash_bytes < board.flash_bytes


@pytest.mark.parametrize("name", ["teensy41", "esp32s3"])
def test_boards_without_firmware_say_so(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=f"no firmware for {name}"):
        build_firmware(write_toy_build(tmp_path / "toy"), load_board(name))


@needs_qemu
@pytest.mark.qemu
@pytest.mark.parametrize("name", HARDWARE_IN_QEMU[:2])
def test_the_same_binary_runs_in_qemu(tmp_path: Path, name: str) -> None:
    """What QEMU lacks (clock tree, cycle counter) the firmware does without; the serial port is the board's own."""
    board = load_board(name)
    build = write_toy_build(tmp_path / "toy")
    flash_firmware(build_firmware(build, board), "emulated")
    inputs = toy_inputs(2)
    np.testing.assert_array_equal(run_board(build, board, [inputs]).outputs[0], toy_expected(inputs))


@needs_qemu
@pytest.mark.qemu
@pytest.mark.long
@pytest.mark.parametrize("name", IN_QEMU)
def test_kws_is_exact_over_tcp_and_pty(kws: Path, name: str) -> None:
    board = load_board(name)
    if board.core.is_riscv and shutil.which("qemu-system-riscv32") is None:
        pytest.skip("no qemu-system-riscv32")
    firmware = build_firmware(kws, board)
    flash_firmware(firmware, "emulated")
    with np.load(golden(KWS)) as recorded:
        inputs, expected = recorded["input_0"][:2], recorded["output_0"][:2]
    result = run_board(kws, board, [inputs], Line(emulator="qemu"))
    np.testing.assert_array_equal(result.outputs[0], expected)
    with qemu_on_a_pty(board, flash_file(kws, board)) as terminal:
        client = DeviceClient(SerialTransport(terminal))
        try:
            result = run_client(client, firmware.info, [inputs])
        finally:
            client.close()
    np.testing.assert_array_equal(result.outputs[0], expected)


def on_its_chip(firmware: Firmware) -> ChipMachine:
    """The firmware on the model of its chip, about to start."""
    board, image = firmware.board, firmware.image()
    if board.mcu == "ESP32-C3":
        return Esp32c3Machine(board, Esp32c3(board), image, flash_content(image.segments, board))
    chip = stm32(board) if board.bsp.startswith("stm32") else Rp2(board) if "RP" in board.mcu else Nrf52840(board)
    machine = ChipMachine(board, chip, image)
    machine.start(board.flash.origin + (0x100 if board.mcu == "RP2040" else 0))
    return machine


@pytest.mark.long
@pytest.mark.parametrize("name", [board.name for board in BOARDS if board.is_hardware and board.bsp_dir is not None])
def test_kws_is_exact_on_the_model_of_every_chip(kws: Path, name: str) -> None:
    """Start-up, protocol and network run as on the hardware, no rule of the manual broken."""
    firmware = build_firmware(kws, load_board(name))
    machine = on_its_chip(firmware)
    with np.load(golden(KWS)) as recorded:
        inputs, expected = recorded["input_0"][:1], recorded["output_0"][:1]
    result = run_client(DeviceClient(machine), firmware.info, [inputs])
    np.testing.assert_array_equal(result.outputs[0], expected)
    assert machine.chip.problems == []
