"""Flash an emulated board, boot it, run over its serial port: unicorn and QEMU."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.toy_build import ARENA_BYTES, toy_expected, toy_inputs, write_toy_build
from tinyforge.device.board import Line, run_board, run_booted
from tinyforge.device.emulate.run import run_emulator
from tinyforge.device.flash import flash_firmware
from tinyforge.errors import DeviceError, UsageError
from tinyforge.paths import boards_dir
from tinyforge.target import Board, load_board
from tinyforge.toolchain.firmware import build_firmware

INPUTS = toy_inputs(3)
UNICORN_BOARDS = ("emulated_m0plus", "emulated_m3", "emulated_m4", "emulated_m7", "emulated_m33")
QEMU_BOARDS = (
    "emulated_m0plus",
    "emulated_m3",
    "emulated_m4",
    "emulated_m7",
    "mps2_an386",
    "mps2_an500",
    "mps3_an547",
    "qemu_rv32_virt",
    "qemu_sifive_e",
    "stm32f405",
)
needs_qemu = pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="no qemu-system-arm")
needs_gcc = pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="no arm-none-eabi-gcc")


def skip_without_tools(board: Board, toolchain: str) -> None:
    """RISC-V has an emulator and a gcc of its own."""
    wanted = ["qemu-system-riscv32"] if board.core.is_riscv else []
    wanted += ["riscv64-unknown-elf-gcc"] if board.core.is_riscv and toolchain == "gcc" else []
    for program in wanted:
        if shutil.which(program) is None:
            pytest.skip(f"no {program}")


def check(folder: Path, board_name: str, toolchain: str, emulator: str, rows: bool = False) -> None:
    board = load_board(board_name)
    if emulator == "qemu":
        skip_without_tools(board, toolchain)
    build = write_toy_build(folder / "toy", rows=rows)
    firmware = build_firmware(build, board, toolchain)
    report = flash_firmware(firmware)
    assert report.verified
    assert report.image_bytes == firmware.flash_bytes or report.image_bytes > 4096
    progress: list[int] = []
    result = run_board(
        build, board, [INPUTS], Line(emulator=emulator), progress=lambda done, _all: progress.append(done)
    )
    np.testing.assert_array_equal(result.outputs[0], toy_expected(INPUTS))
    assert progress[-1] == len(INPUTS)
    assert result.arena_high_water_bytes == ARENA_BYTES
    assert 0 < result.stack_high_water_bytes < firmware.stack_region_bytes
    assert result.cycles is None
    assert result.compiler == firmware.compiler
    counted = run_emulator(firmware, [INPUTS]).instructions if board.core.unicorn_model else result.instructions
    # What the protocol does around the call is counted by the board, in steps of its clock (40 instructions).
    assert 0 <= result.instructions - counted < 140 + 60 * 8 * rows


@pytest.mark.parametrize(
    "board, rows", [*((board, False) for board in UNICORN_BOARDS), ("emulated_m0plus", True), ("emulated_m7", True)]
)
def test_unicorn_board(tmp_path: Path, board: str, rows: bool) -> None:
    check(tmp_path, board, "zig", "unicorn", rows)


@needs_qemu
@pytest.mark.qemu
@pytest.mark.parametrize(
    "board, toolchain",
    [
        *((board, "zig") for board in QEMU_BOARDS),
        *(pytest.param(board, "gcc", marks=needs_gcc) for board in QEMU_BOARDS[4:]),
    ],
)
def test_qemu_board(tmp_path: Path, board: str, toolchain: str) -> None:
    check(tmp_path, board, toolchain, "qemu")


@needs_qemu
@pytest.mark.qemu
def test_qemu_as_emulator_of_an_image(tmp_path: Path) -> None:
    firmware = build_firmware(write_toy_build(tmp_path / "toy"), load_board("emulated_m7"))
    result = run_booted(firmware, [INPUTS], "qemu")
    np.testing.assert_array_equal(result.outputs[0], toy_expected(INPUTS))
    assert (result.runner, result.compiler) == ("emulator (qemu)", firmware.compiler)


TWO_BANKS = """
[[ram]]
name = "dtcm"
origin = 0x1000_0000
size = "8K"
speed = 0
"""


def test_own_board_file_with_two_banks(tmp_path: Path) -> None:
    """A board nobody shipped, whose second bank holds the arena."""
    text = (boards_dir() / "emulated_m4.toml").read_text(encoding="utf-8").replace("emulated_m4", "my_board")
    (tmp_path / "my_board.toml").write_text(text + TWO_BANKS)
    board = load_board(tmp_path / "my_board.toml")
    build = write_toy_build(tmp_path / "toy")
    source = build / "toy.c"
    placed = '__attribute__((section(".tf_bank.dtcm.toy"))) alignas(16) uint8_t'
    source.write_text(source.read_text().replace("alignas(16) uint8_t", placed))
    firmware = build_firmware(build, board)
    flash_firmware(firmware)
    assert firmware.image().address("toy_arena") == 0x10000000
    for result in (run_emulator(firmware, [INPUTS]), run_board(build, board, [INPUTS])):
        np.testing.assert_array_equal(result.outputs[0], toy_expected(INPUTS))
        assert result.arena_high_water_bytes == ARENA_BYTES
        assert result.out_of_bounds_accesses == 0


@needs_qemu
@pytest.mark.qemu
@pytest.mark.parametrize("board", ["emulated_m0plus", "mps2_an386", "mps3_an547", "qemu_rv32_virt", "stm32f405"])
def test_hard_faults_are_reported_by_the_firmware(tmp_path: Path, board: str) -> None:
    """QEMU takes the exception as the chip would; the handler's line names PC and cause."""
    skip_without_tools(load_board(board), "zig")
    build = write_toy_build(tmp_path / "toy", bug="wild")
    source = build / "toy.c"
    nothing_there = "0x1ffffff0u" if load_board(board).core.is_riscv else "0x5ffffff0u"
    source.write_text(source.read_text().replace("0x3ffffff0u", nothing_there))
    with pytest.raises(DeviceError, match=r"stopped: FAULT pc=.* at 0x.* \(toy_op01_fully_connected"):
        run_booted(build_firmware(build, load_board(board)), [INPUTS], "qemu")


def test_board_keeps_its_flash(tmp_path: Path) -> None:
    """What was flashed runs, whatever was built afterwards."""
    board = load_board("emulated_m4")
    build = write_toy_build(tmp_path / "toy")
    flash_firmware(build_firmware(build, board))
    (build / "toy.c").write_text("this is no C any more\n")
    result = run_board(build, board, [INPUTS])
    np.testing.assert_array_equal(result.outputs[0], toy_expected(INPUTS))


def test_unflashed_board(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="never flashed; do it with: tinyforge flash"):
        run_board(write_toy_build(tmp_path / "toy"), load_board("emulated_m4"), [INPUTS])


def test_erased_board_is_a_clear_error(tmp_path: Path) -> None:
    board = load_board("emulated_m4")
    build = write_toy_build(tmp_path / "toy")
    report = flash_firmware(build_firmware(build, board))
    Path(report.target).write_bytes(b"\xff" * 64)
    with pytest.raises(DeviceError, match=r"stopped|does not answer|line broke"):
        run_board(build, board, [INPUTS])


def test_wrong_combinations(tmp_path: Path) -> None:
    build = write_toy_build(tmp_path / "toy")
    with pytest.raises(UsageError, match="QEMU has no machine for emulated_m33"):
        run_board(build, load_board("emulated_m33"), [INPUTS], Line(emulator="qemu"))
    with pytest.raises(UsageError, match="unicorn has no model of the peripherals"):
        run_board(build, load_board("stm32f405"), [INPUTS], Line(emulator="unicorn"))
    with pytest.raises(UsageError, match="cannot be flashed with openocd"):
        flash_firmware(build_firmware(build, load_board("emulated_m4")), "openocd")
