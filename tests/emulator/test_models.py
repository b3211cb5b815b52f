"""Every real model as linked firmware, instruction by instruction: outputs, memory as planned, nothing outside."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import tinyforge
from tests.shared import COMPILED, DIGITS, DIGITS_GOLDEN, MLPERF, golden, shared_model
from tinyforge.target import load_board

# Millions of executed instructions on the Cortex-M7, never to be exceeded again.
INSTRUCTION_LIMITS = {
    "mlperf_ad_toycar_int8": 0.58,
    "mlperf_ic_resnet8_int8": 29.6,
    "mlperf_kws_dscnn_int8": 7.6,
    "mlperf_vww96_mobilenetv1_int8": 24.0,
    "tflm_person_detect_int8": 22.7,
    "tinyengine_mcunet_vww_int8": 47.4,
}


# The same on the Cortex-M0+: half of what TensorFlow Lite Micro's reference kernels take on an M7, and tighter.
M0PLUS_LIMITS = {
    "mlperf_ic_resnet8_int8": 60.0,
    "mlperf_kws_dscnn_int8": 16.5,
    "mlperf_vww96_mobilenetv1_int8": 33.0,
}


def check(model: Path, recorded: Path, board: str, out: Path, samples: int = 1) -> tinyforge.api.run.RunReport:  # type: ignore[name-defined]
    built = tinyforge.compile(model, board=board, out=out)
    report = tinyforge.run(built.out, on="emulator", inputs=recorded, reference=recorded, samples=samples)
    assert report.ok, report.explanation
    assert report.arena_linked_bytes == built.info.arena_bytes
    assert report.result.arena_high_water_bytes <= built.info.arena_bytes
    assert 0 < report.result.stack_high_water_bytes <= (report.stack_bound_bytes or 0)
    return report


@pytest.mark.slow
@pytest.mark.parametrize("name", COMPILED)
def test_m7(name: str, tmp_path: Path) -> None:
    report = check(shared_model(name), golden(name), "emulated_m7", tmp_path / "build")
    assert report.result.instructions <= INSTRUCTION_LIMITS.get(name, 1e9) * 1e6


@pytest.mark.slow
@pytest.mark.parametrize("board", ["emulated_m0plus", "emulated_m3", "emulated_m4", "emulated_m33"])
@pytest.mark.parametrize("name", MLPERF)
def test_mlperf_on_other_cores(name: str, board: str, tmp_path: Path) -> None:
    report = check(shared_model(name), golden(name), board, tmp_path / "build")
    if board == "emulated_m0plus":
        assert report.result.instructions <= M0PLUS_LIMITS.get(name, 1e9) * 1e6


@pytest.mark.parametrize("board", ["emulated_m0plus", "emulated_m3", "emulated_m4", "emulated_m7", "emulated_m33"])
def test_digits_on_every_core(board: str, tmp_path: Path) -> None:
    check(DIGITS, DIGITS_GOLDEN, board, tmp_path / "build", samples=3)


@pytest.mark.qemu
@pytest.mark.parametrize("toolchain", ["zig", "gcc"])
@pytest.mark.parametrize("board", ["mps3_an547", "qemu_rv32_virt"])
def test_digits_on_cores_only_qemu_has(board: str, toolchain: str, tmp_path: Path) -> None:
    riscv = load_board(board).core.is_riscv
    wanted = ["qemu-system-riscv32" if riscv else "qemu-system-arm"]
    wanted += ["riscv64-unknown-elf-gcc" if riscv else "arm-none-eabi-gcc"] if toolchain == "gcc" else []
    for program in wanted:
        if shutil.which(program) is None:
            pytest.skip(f"no {program}")
    built = tinyforge.compile(DIGITS, board=board, out=tmp_path / "build", toolchain=toolchain)
    report = tinyforge.run(built.out, inputs=DIGITS_GOLDEN, reference=DIGITS_GOLDEN, samples=3, toolchain=toolchain)
    assert report.ok, report.explanation
    assert report.arena_linked_bytes == built.info.arena_bytes
    assert 0 < report.result.arena_high_water_bytes <= built.info.arena_bytes


# Millions of executed instructions on the Cortex-M55, protocol around the call included.
HELIUM_LIMITS = {
    "mlperf_ad_toycar_int8": 0.06,
    "mlperf_ic_resnet8_int8": 2.6,
    "mlperf_kws_dscnn_int8": 0.9,
    "mlperf_vww96_mobilenetv1_int8": 2.0,
}


@pytest.mark.slow
@pytest.mark.qemu
@pytest.mark.parametrize("name", [pytest.param(n, marks=() if n in MLPERF else pytest.mark.long) for n in COMPILED])
def test_helium(name: str, tmp_path: Path) -> None:
    if shutil.which("qemu-system-arm") is None:
        pytest.skip("no qemu-system-arm")
    built = tinyforge.compile(shared_model(name), board="mps3_an547", out=tmp_path / "build")
    report = tinyforge.run(built.out, inputs=golden(name), reference=golden(name), samples=1)
    assert report.ok, report.explanation
    assert report.result.instructions <= HELIUM_LIMITS.get(name, 1e9) * 1e6


@pytest.mark.slow
@pytest.mark.qemu
@pytest.mark.parametrize("name", MLPERF)
def test_riscv(name: str, tmp_path: Path) -> None:
    if shutil.which("qemu-system-riscv32") is None:
        pytest.skip("no qemu-system-riscv32")
    built = tinyforge.compile(shared_model(name), board="qemu_rv32_virt", out=tmp_path / "build")
    report = tinyforge.run(built.out, inputs=golden(name), reference=golden(name), samples=1)
    assert report.ok, report.explanation
