"""The commands around boards: listing, one board, a new file, and flashing without writing anything."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import pytest

from tests.cli.runner import tinyforge_command
from tests.shared import DIGITS
from tests.toy_build import write_toy_build
from tinyforge.paths import firmware_dir


def test_a_board_is_shown_with_the_source_of_each_figure() -> None:
    done = tinyforge_command("boards", "stm32f4_disco")
    assert done.code == 0
    assert "USART2 at 0x40004400, PA2 (TX) and PA3 (RX)" in done.out
    assert "4 x 16 K" in done.out
    assert "stm32f407Xg.dtsi" in done.out
    (board,) = tinyforge_command("boards", "stm32f4_disco", "--json").json["boards"]
    assert [bank["dma"] for bank in board["banks"]] == [True, False]
    assert {source["verified"] for source in board["sources"]} == {True, False}


def test_a_new_board_is_a_file_that_works(tmp_path: Path) -> None:
    path = tmp_path / "my_board.toml"
    done = tinyforge_command("boards", "new", "my_board", "--like", "nucleo_l476rg", "--out", path)
    assert (done.code, done.err) == (0, "")
    assert tinyforge_command("boards", path, "--json").json["boards"][0]["name"] == "my_board"
    build = write_toy_build(tmp_path / "toy")
    dry = tinyforge_command("flash", build, "--board", path, "--method", "openocd", "--dry-run")
    assert dry.code == 0
    assert shlex.split(dry.out)[:3] == ["openocd", "-f", "board/st_nucleo_l4.cfg"]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("boards", "new"), "the new board needs a name"),
        (("boards", "--like", "rpi_pico"), "go with: tinyforge boards new NAME"),
        (("boards", "new", "rpi pico"), "is no board name"),
    ],
)
def test_wrong_uses_end_with_2(arguments: tuple[str, ...], message: str) -> None:
    done = tinyforge_command(*arguments)
    assert done.code == 2
    assert message in done.err


def test_an_own_board_is_kept_with_the_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With start-up code of its own beside it. Later commands need neither the file nor the folder it lay in."""
    home = tmp_path / "home"
    tinyforge_command("boards", "new", "my_board", "--like", "emulated_m4", "--out", home / "my_board.toml")
    shutil.copytree(firmware_dir() / "bsp" / "cmsdk", home / "my_bsp")
    path = home / "my_board.toml"
    path.write_text(path.read_text().replace('bsp = "cmsdk"', 'bsp = "./my_bsp"'))
    out = tmp_path / "build"
    monkeypatch.chdir(home)
    assert tinyforge_command("compile", DIGITS, "--board", "my_board.toml", "--out", out).code == 0
    shutil.rmtree(home)
    monkeypatch.chdir(tmp_path)
    flashed = tinyforge_command("flash", out, "--json")
    assert (flashed.code, flashed.json["board"], flashed.json["verified"]) == (0, "my_board", True)
    assert tinyforge_command("run", out, "--samples", 1).code == 0
    assert tinyforge_command("report", out, "--out", tmp_path / "page.html").code == 0
    assert "my_board" in (tmp_path / "page.html").read_text()
