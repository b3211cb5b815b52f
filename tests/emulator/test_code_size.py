"""Code of the model and its kernels: `--objective size` is smaller, stays exact, and keeps to what was promised."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import tinyforge
from tests.shared import DIGITS, DIGITS_GOLDEN, golden, shared_model
from tinyforge.toolchain.firmware import optimize_level

# Bytes of code at balanced and at size.
LIMITS = {"mlperf_kws_dscnn_int8": (24_000, 12_000), "mlperf_vww96_mobilenetv1_int8": (40_000, 16_000)}

needs_gcc = pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="no arm-none-eabi-gcc")


def test_size_is_smaller_and_exact(tmp_path: Path) -> None:
    built = tinyforge.compile(DIGITS, board="emulated_m4", out=tmp_path / "balanced")
    small = tinyforge.compile(DIGITS, board="emulated_m4", objective="size", out=tmp_path / "small")
    assert (optimize_level(built.info), optimize_level(small.info)) == ("O2", "Oz")
    assert small.info.flash.code < 0.85 * built.info.flash.code
    assert small.info.arena_bytes == built.info.arena_bytes
    assert "(cortex-m4) -Oz" in (small.out / "digits_int8.h").read_text()
    done = tinyforge.run(small.out, inputs=DIGITS_GOLDEN, reference=DIGITS_GOLDEN, samples=1)
    assert done.ok, done.explanation
    assert done.flash == small.info.flash


@pytest.mark.slow
@pytest.mark.parametrize("toolchain", ["zig", pytest.param("gcc", marks=needs_gcc)])
@pytest.mark.parametrize("name", sorted(LIMITS))
def test_mlperf_models_keep_to_their_bars(name: str, toolchain: str, tmp_path: Path) -> None:
    for objective, limit in zip(("balanced", "size"), LIMITS[name], strict=True):
        built = tinyforge.compile(
            shared_model(name), board="emulated_m7", objective=objective, toolchain=toolchain, out=tmp_path / objective
        )
        assert built.info.flash.code <= limit
    done = tinyforge.run(tmp_path / "size", inputs=golden(name), reference=golden(name), samples=1, toolchain=toolchain)
    assert done.ok, done.explanation
