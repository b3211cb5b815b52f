"""Native runs: exact outputs, paints, traces, and a crash told in the sanitizer's words."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.toy_build import ARENA_BYTES, toy_expected, toy_inputs, write_toy_build
from tinyforge.device.host import PART, run_host
from tinyforge.errors import DeviceError, ToolMissing, UsageError
from tinyforge.toolchain.native import native_compiler

INPUTS = toy_inputs(3)
needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc: zig has no AddressSanitizer")


@pytest.mark.parametrize("rows", [False, True], ids=["whole", "rows"])
@pytest.mark.parametrize("sanitize", [False, True], ids=["plain", "sanitized"])
def test_runs_exactly(tmp_path: Path, rows: bool, sanitize: bool) -> None:
    result = run_host(write_toy_build(tmp_path / "toy", rows=rows), [INPUTS], sanitize=sanitize, trace=True)
    np.testing.assert_array_equal(result.outputs[0], toy_expected(INPUTS))
    np.testing.assert_array_equal(result.traces[0, 0].view(np.int8), INPUTS.reshape(3, -1) >> 1)
    assert result.arena_high_water_bytes == ARENA_BYTES


def test_many_samples_run_in_parts_and_stay_in_order(tmp_path: Path) -> None:
    many, told = toy_inputs(2 * PART + 7), []
    build = write_toy_build(tmp_path / "toy")
    result = run_host(build, [many], progress=lambda done, total: told.append((done, total)))
    np.testing.assert_array_equal(result.outputs[0], toy_expected(many))
    assert told == [(done, len(many)) for done in (PART, 2 * PART, len(many))]
    assert result.arena_high_water_bytes == ARENA_BYTES


@pytest.mark.slow
def test_zig_as_host_compiler(tmp_path: Path) -> None:
    result = run_host(write_toy_build(tmp_path / "toy"), [INPUTS], "zig")
    np.testing.assert_array_equal(result.outputs[0], toy_expected(INPUTS))


@needs_gcc
@pytest.mark.parametrize(
    "bug, message",
    [
        ("overflow", "index 260 out of bounds .*toy_op01_fully_connected"),
        ("unaligned", "misaligned address"),
        ("undefined", "signed integer overflow"),
        ("wild", "AddressSanitizer: SEGV"),
    ],
)
def test_sanitizers_speak(tmp_path: Path, bug: str, message: str) -> None:
    with pytest.raises(DeviceError, match=message):
        run_host(write_toy_build(tmp_path / "toy", bug=bug), [INPUTS], "gcc", sanitize=True)


def test_compile_errors_carry_the_compilers_words(tmp_path: Path) -> None:
    build = write_toy_build(tmp_path / "toy")
    source = build / "toy.c"
    source.write_text(source.read_text() + "int broken(void) { return nothing; }\n")
    with pytest.raises(ToolMissing, match=r"toy\.c does not compile(.|\n)*nothing"):
        run_host(build, [INPUTS])


def test_unknown_compiler() -> None:
    with pytest.raises(UsageError, match="choose auto or gcc"):
        native_compiler("tcc")
