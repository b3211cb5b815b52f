"""Commands end to end on the digit classifier: JSON as promised, exit codes, one line of error."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.cli.runner import tinyforge_command
from tests.shared import DIGITS, DIGITS_GOLDEN

COMPILE_KEYS = {
    *("model", "digest", "board", "macs", "executed_macs", "mac_factor", "arena_bytes", "arena_bytes_without_input"),
    *("stack_bytes", "flash_bytes", "input", "schedule", "banks", "proven_optimal", "out"),
}
RUN_KEYS = {
    *("runner", "compiler", "instructions", "estimated_cycles", "cycles", "samples", "mismatches", "max_abs_diff"),
    *("arena_high_water_bytes", "stack_high_water_bytes", "out_of_bounds_accesses", "layers"),
}


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("cli") / "digits"
    done = tinyforge_command(
        "compile", DIGITS, "--board", "emulated_m4", "--sram", "12K", "-o", out, "--dump", "--json"
    )
    assert done.code == 0, done.err
    (out.parent / "compile.json").write_text(done.out)
    return out


def test_compile_json(build: Path) -> None:
    result = json.loads((build.parent / "compile.json").read_text())
    assert set(result) >= COMPILE_KEYS
    assert result["arena_bytes"] <= 12 * 1024 < result["layerwise_arena_bytes"]
    assert result["mac_factor"] == pytest.approx(result["executed_macs"] / result["macs"], abs=1e-5)
    assert result["flash_bytes"]["total"] == result["flash_bytes"]["weights"] + result["flash_bytes"]["code"]
    assert result["schedule"][0]["kind"] == "fused"
    assert len(result["schedule"][0]["grid"]) == 2
    assert result["banks"][0]["used"] == result["arena_bytes"]


def test_build_folder_holds_nothing_else(build: Path) -> None:
    names = {p.name for p in build.iterdir()}
    expected = {"digits_int8.h", "digits_int8.c", "digits_int8_weights.c", "LICENSE", ".tinyforge"}
    assert names - {n for n in names if n.startswith("tf_") and n.endswith(".h")} == expected
    assert (build / ".tinyforge" / "graph.txt").is_file()


def test_same_input_same_bytes(build: Path, tmp_path: Path) -> None:
    again = tmp_path / "elsewhere"
    assert tinyforge_command("compile", DIGITS, "-b", "emulated_m4", "--sram", "12288", "-o", again).code == 0
    for path in build.iterdir():
        if path.is_file():
            assert path.read_bytes() == (again / path.name).read_bytes(), path.name


def test_compiling_again_replaces_the_build_but_nothing_else(build: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep me")
    done = tinyforge_command("compile", DIGITS, "-o", tmp_path)
    assert done.code == 2
    assert "is no build folder" in done.err
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("on", ["host", "emulator"])
def test_run_json(build: Path, on: str) -> None:
    done = tinyforge_command(
        *("run", build, "--on", on, "--inputs", DIGITS_GOLDEN, "--reference", DIGITS_GOLDEN, "-n", 2, "--json")
    )
    assert done.code == 0, done.err
    result = done.json
    assert set(result) >= RUN_KEYS
    assert (result["samples"], result["mismatches"], result["out_of_bounds_accesses"]) == (2, 0, 0)
    if on == "emulator":
        assert result["arena_linked_bytes"] == result["arena_bytes"]
        assert sum(layer["instructions"] for layer in result["layers"]) <= result["instructions"]


@pytest.mark.parametrize("on", ["host", "emulator", "board"])
def test_an_input_fed_row_by_row(on: str, tmp_path: Path) -> None:
    build = tmp_path / "rows"
    assert tinyforge_command("compile", DIGITS, "-b", "emulated_m4", "--input", "rows", "-o", build).code == 0
    assert "digits_int8_feed_rows" in (build / "digits_int8.h").read_text()
    if on == "board":
        assert tinyforge_command("flash", build).code == 0
    done = tinyforge_command(
        *("run", build, "--on", on, "--inputs", DIGITS_GOLDEN, "--reference", DIGITS_GOLDEN, "-n", 2, "--json")
    )
    assert done.code == 0, done.err
    assert done.json["mismatches"] == 0


def test_a_wrong_reference_is_an_error_that_says_where(build: Path, tmp_path: Path) -> None:
    with np.load(DIGITS_GOLDEN) as recorded:
        outputs = recorded["output_0"].copy()
        outputs[1, 0, 3] += 1
        np.savez(tmp_path / "wrong.npz", output_0=outputs)
    done = tinyforge_command(
        *("run", build, "--on", "host", "--inputs", DIGITS_GOLDEN, "--reference", tmp_path / "wrong.npz", "-n", 3)
    )
    assert done.code == 1
    assert "1 values differ from wrong.npz by up to 1 (first in sample 1)" in done.err


def test_a_wrong_operator_is_named(build: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(build, broken)
    weights = broken / "digits_int8_weights.c"
    first_constant = re.compile(r"(digits_int8_op03_\w+\[\d+\] = \{\n\s+)(-?\d+)")
    text, count = first_constant.subn(lambda m: f"{m[1]}{int(m[2]) ^ 0x1F1F1F}", weights.read_text())
    assert count == 1
    weights.write_text(text)
    done = tinyforge_command("run", broken, "--on", "host", "--inputs", DIGITS_GOLDEN, "-n", 1)
    assert done.code == 1
    assert "first wrong operator: #3 conv2d" in done.err


@pytest.mark.parametrize(
    "arguments, code, message",
    [
        (("compile", "no_such_file.tflite"), 2, "does not exist"),
        (("compile", __file__), 3, "test_commands.py"),
        (("compile", DIGITS, "--sram", "1K"), 4, "needs"),
        (("compile", DIGITS, "--flash", "8K"), 4, "of flash"),
        (("compile", DIGITS, "--board", "nosuch"), 2, "emulated_m7"),
        (("compile", DIGITS, "--objective", "speed"), 2, "balanced, sram, latency"),
        (("compile", DIGITS, "--max-mac-factor", "0.5"), 2, "makes no sense"),
        (("compile", DIGITS, "--sram", "12 apples"), 2, "is not a size"),
        (("search", "--decay", "-0.1"), 2, "--decay -0.1 makes no sense; give 0 to 10"),
        (("search", "--decay", "nan"), 2, "--decay nan makes no sense"),
        (("run", "no_such_folder"), 2, "is no build folder"),
        (("run", DIGITS, "--on", "mars"), 2, "host, emulator, board"),
        (("boards", "--core", "z80"), 2, "cortex-m4"),
        (("report", "no_such_folder"), 2, "is no build folder"),
    ],
)
def test_errors_are_one_line_with_an_exit_code(
    arguments: tuple[object, ...], code: int, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = tinyforge_command(*arguments)
    assert done.code == code, done.err
    assert message in done.err
    lines = [line for line in done.err.splitlines() if not line.endswith("...")]
    assert len(lines) == 1
    assert lines[0].startswith("tinyforge: ")
    assert done.out == ""


def test_internal_errors_say_how_to_learn_more(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("deep inside")

    monkeypatch.setattr("tinyforge.api.boards.boards", fail)
    done = tinyforge_command("boards")
    assert done.code == 1
    assert "internal error: ZeroDivisionError: deep inside" in done.err
    assert "--debug" in done.err
    assert "Traceback" not in done.err


def test_interrupt_ends_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tinyforge.api.boards.boards", interrupt)
    assert tinyforge_command("boards").code == 130


def test_boards_and_doctor_json() -> None:
    found = tinyforge_command("boards", "--core", "m4", "--sram", "64K", "--json").json["boards"]
    assert {b["name"] for b in found} >= {"emulated_m4", "stm32f405"}
    tools = tinyforge_command("doctor", "--json").json
    assert tools["healthy"] is True


def test_check_lists_every_operator() -> None:
    done = tinyforge_command("check", DIGITS, "--json")
    assert done.code == 0
    assert len(done.json["operators"]) == 18
    assert tinyforge_command("check", DIGITS).code == 0
