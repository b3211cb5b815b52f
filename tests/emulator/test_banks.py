"""A model that needs two SRAM banks: compiled, flashed and run; planned == linked == measured in each bank."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import tinyforge
from tests.shared import ROOT
from tinyforge.api.compile import CompileResult
from tinyforge.errors import DoesNotFit
from tinyforge.paths import boards_dir

DIGITS = ROOT / "examples" / "digits" / "digits_int8.tflite"
GOLDEN = ROOT / "examples" / "digits" / "digits_test.golden.npz"
FAST = """
[[ram]]
name = "dtcm"
origin = 0x1000_0000
size = "19K"
speed = 0
"""


def board_file(folder: Path, main: str) -> Path:
    """An emulated Cortex-M4 with a main bank of ``main`` bytes and a fast one of 19 KiB."""
    text = (boards_dir() / "emulated_m4.toml").read_text(encoding="utf-8").replace("emulated_m4", "two_banks")
    head, ram, rest = text.partition('[[ram]]\nname = "sram"\norigin = 0x2000_0000\nsize = "4 MiB"')
    assert ram, "the shipped board file looks otherwise"
    path = folder / "two_banks.toml"
    path.write_text(f'{head}[[ram]]\nname = "sram"\norigin = 0x2000_0000\nsize = "{main}"\nspeed = 1\n{FAST}{rest}')
    return path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> CompileResult:
    folder = tmp_path_factory.mktemp("banks")
    board = board_file(folder, "12K")
    return tinyforge.compile(DIGITS, board=str(board), schedule="layerwise", out=folder / "build")


def test_the_plan_uses_both_banks(built: CompileResult) -> None:
    banks = {bank["name"]: bank for bank in built.as_json()["banks"]}
    assert 0 < banks["sram"]["used"] <= (12 - 4) * 1024
    assert 8 * 1024 < banks["dtcm"]["used"] <= 19 * 1024
    assert built.info.arena_bytes == banks["sram"]["used"] + banks["dtcm"]["used"]
    header = (built.out / "digits_int8.h").read_text()
    for name, bank in banks.items():
        assert f"#define DIGITS_INT8_ARENA_{name.upper()}_BYTES {bank['used']}u" in header
        assert f"SRAM   {name}: arena {bank['used']:,} B of {bank['size']:,} B" in header


@pytest.mark.parametrize("where", ["emulator", "board", "host"])
def test_planned_linked_and_measured_agree(built: CompileResult, where: str) -> None:
    board = built.out.parent / "two_banks.toml"
    if where == "board":
        flashed = tinyforge.flash(built.out, board=str(board)).as_json()
        assert all(bank["planned"] == bank["linked"] for bank in flashed["banks"])
    report = tinyforge.run(built.out, on=where, board=str(board), inputs=GOLDEN, reference=GOLDEN, samples=4)
    assert report.ok, report.explanation
    assert [bank["name"] for bank in report.banks()] == ["sram", "dtcm"]
    for bank in report.banks():
        assert bank["planned"] == bank["measured"]
        assert bank["linked"] == (bank["planned"] if where == "emulator" else None)


def test_one_bank_is_preferred_for_least_sram(built: CompileResult, tmp_path: Path) -> None:
    board = built.out.parent / "two_banks.toml"
    small = tinyforge.compile(DIGITS, board=str(board), objective="sram", out=tmp_path / "build")
    assert [arena.symbol for arena in small.info.arenas] == ["digits_int8_arena"]
    assert small.info.arenas[0].bank == "dtcm", "the fastest bank that holds it"
    report = tinyforge.run(small.out, board=str(board), samples=1)
    assert report.ok, report.explanation
    (bank,) = report.banks()
    assert bank["planned"] == bank["linked"] == bank["measured"] == small.info.arena_bytes


def test_a_limit_counts_over_all_banks(built: CompileResult, tmp_path: Path) -> None:
    board = built.out.parent / "two_banks.toml"
    limited = tinyforge.compile(DIGITS, board=str(board), sram=16 * 1024, out=tmp_path / "build")
    assert limited.info.arena_bytes <= 16 * 1024
    with pytest.raises(DoesNotFit, match="largest buffer has 18,432 B"):
        tinyforge.compile(DIGITS, board=str(board_file(tmp_path, "8K")), schedule="layerwise", out=tmp_path / "none")
    shutil.rmtree(tmp_path / "build")


@pytest.mark.qemu
@pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="no qemu-system-arm")
def test_two_banks_of_an_stm32f405(tmp_path: Path) -> None:
    """QEMU's netduinoplus2, its memory cut into two banks so small that a little model needs both. QEMU has no
    core-coupled memory: the second bank lies where the board file has none, in the upper part of the SRAM."""
    text = (boards_dir() / "stm32f405.toml").read_text(encoding="utf-8").replace('"stm32f405"', '"small_f405"')
    text = text.replace('size = "128 KiB"', 'size = "12K"').replace('size = "64 KiB"', 'size = "19K"')
    text = text.replace("origin = 0x1000_0000", "origin = 0x2001_8000")
    board = tmp_path / "small_f405.toml"
    board.write_text(text)
    build = tinyforge.compile(DIGITS, board=str(board), schedule="layerwise", out=tmp_path / "build")
    assert [arena.bank for arena in build.info.arenas] == ["sram", "ccm"]
    tinyforge.flash(build.out, board=str(board), method="emulated")
    report = tinyforge.run(build.out, on="board", board=str(board), inputs=GOLDEN, reference=GOLDEN, samples=2)
    assert report.ok, report.explanation
    assert all(bank["planned"] == bank["measured"] for bank in report.banks())
