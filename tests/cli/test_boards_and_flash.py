"""The commands around boards: listing, one board, a new file, and flashing without writing anything."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.cli.runner import tinyforge_command
from tests.toy_build import write_toy_build


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
