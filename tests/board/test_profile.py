"""Ticks of every operator over the serial line: they add up to the inference, and firmware without says so."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import tinyforge
from tests.shared import DIGITS, DIGITS_GOLDEN
from tests.toy_build import toy_inputs, write_toy_build
from tinyforge.device.board import run_board
from tinyforge.device.flash import flash_firmware
from tinyforge.errors import DeviceError
from tinyforge.target import load_board
from tinyforge.toolchain.firmware import build_firmware


@pytest.mark.parametrize("input_mode", ["whole", "rows"])
def test_operators_add_up_to_the_inference(input_mode: str, tmp_path: Path) -> None:
    """On the unicorn board a tick is an instruction: what is left over is stage control and reporting."""
    built = tinyforge.compile(
        DIGITS, board="emulated_m4", input_mode=input_mode, sram="16K", out=tmp_path / "build", objective="sram"
    )
    tinyforge.flash(built.out, profile=True)
    measured = tinyforge.run(built.out, on="board", inputs=DIGITS_GOLDEN, samples=1, profile=True)
    counted = tinyforge.run(built.out, on="emulator", inputs=DIGITS_GOLDEN, samples=1)
    assert measured.ok, measured.explanation
    layers = measured.result.layers
    assert [p.name for p in layers] == [op.name for op in built.info.operators]
    total = sum(p.instructions for p in layers)
    assert 0.95 * measured.result.instructions < total <= measured.result.instructions
    for own, exact in zip(layers, counted.result.layers, strict=True):
        # Emulator and firmware charge the control code between the operators of a fused stage to different ones.
        assert 0.8 * exact.instructions <= own.instructions <= 1.5 * exact.instructions + 1000, own.name


@pytest.mark.qemu
@pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="no qemu-system-arm")
def test_qemu_profiles_what_it_runs(tmp_path: Path) -> None:
    built = tinyforge.compile(DIGITS, board="mps2_an386", out=tmp_path / "build")
    report = tinyforge.run(built.out, emulator="qemu", inputs=DIGITS_GOLDEN, samples=1, profile=True)
    assert report.ok, report.explanation
    assert 0.9 < sum(p.instructions for p in report.result.layers) / report.result.instructions <= 1.01


def test_firmware_without_a_profile_says_so(tmp_path: Path) -> None:
    board = load_board("emulated_m4")
    build = write_toy_build(tmp_path / "toy")
    flash_firmware(build_firmware(build, board))
    with pytest.raises(DeviceError, match="counts no operators; flash it with: --profile"):
        run_board(build, board, [toy_inputs(1)], profile=True)
