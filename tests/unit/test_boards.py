"""Board files load, are strict, and their limits behave."""

from __future__ import annotations

from pathlib import Path

import pytest

from tinyforge.errors import UsageError
from tinyforge.target import board_names, load_board, parse_size

SAMPLE = (Path(__file__).parents[2] / "boards" / "emulated_m4.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", board_names())
def test_every_shipped_board_loads(name: str) -> None:
    board = load_board(name)
    assert board.name == name
    assert board.sram_bytes > 0
    assert board.model_sram_bytes < board.sram_bytes


def write(folder: Path, text: str, name: str = "mine") -> Path:
    path = folder / f"{name}.toml"
    path.write_text(text.replace("emulated_m4", name), encoding="utf-8")
    return path


def test_board_from_path(tmp_path: Path) -> None:
    assert load_board(write(tmp_path, SAMPLE)).core.name == "cortex-m4"


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("clock_hz =", "clock_mhz =", "clock_hz: this key is missing"),
        ('bsp = "cmsdk"', 'bsp = "cmsdk"\nspeed = 3', "unknown key speed; allowed: .*bsp"),
        ('core = "cortex-m4"', 'core = "z80"', "'z80' is not one of: cortex-m0plus"),
        ('"fpu", "dsp"', '"mve"', "'mve' does not exist on cortex-m4; allowed: fpu, dsp"),
        ('size = "4 MiB"', 'size = "4 MoB"', "size: '4 MoB' is not a size"),
        ("origin = 0x2000_0000", "origin = 0x0010_0000", "overlap"),
        ('name = "sram"', 'name = "sram"\nbanana = 1', r"\[\[ram\]\] 0: unknown key banana"),
        ("baud = 115200", "baud = true", "baud: True has the wrong type"),
        ('name = "emulated_m4"', 'name = "other"', "'other' is not one of: mine"),
        ('core = "cortex-m4"', "core = ", "cannot be read as TOML"),
    ],
)
def test_errors_name_the_key(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = write(tmp_path, SAMPLE.replace(old, new))
    with pytest.raises(UsageError, match=message):
        load_board(path)


def test_unknown_board_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match="emulated_m7"):
        load_board("nonesuch")


def test_limits() -> None:
    board = load_board("stm32f405")
    limited = board.with_limits(sram=150 << 10, flash=64 << 10)
    assert [(bank.name, bank.size) for bank in limited.banks] == [("sram", 128 << 10), ("ccm", 22 << 10)]
    assert limited.flash_bytes == 64 << 10
    assert [bank.name for bank in board.with_limits(sram=1024).banks] == ["sram"]
    with pytest.raises(UsageError, match="limit of"):
        board.with_limits(sram=1 << 30)


@pytest.mark.parametrize("text, size", [("4 MiB", 4 << 20), ("128K", 128 << 10), (512, 512), ("7", 7), ("2kB", 2048)])
def test_sizes(text: object, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "-4", 0, "4.5K", True, None, "9999999999999999999G", "4 MM"])
def test_no_sizes(text: object) -> None:
    with pytest.raises(UsageError):
        parse_size(text)
