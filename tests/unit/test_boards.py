"""Board files load, are strict, and their limits behave."""

from __future__ import annotations

from pathlib import Path

import pytest

from tinyforge.api.boards import boards, new_board
from tinyforge.device.flash import FLASHERS
from tinyforge.errors import UsageError
from tinyforge.target import board_names, load_board, parse_size
from tinyforge.target.flashing import METHODS
from tinyforge.target.sources import source_of

SAMPLE = (Path(__file__).parents[2] / "boards" / "emulated_m4.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", board_names())
def test_every_shipped_board_loads(name: str) -> None:
    board = load_board(name)
    assert board.name == name
    assert board.sram_bytes > 0
    assert board.model_sram_bytes < board.sram_bytes


HARDWARE = tuple(name for name in board_names() if load_board(name).is_hardware)
NUCLEO = load_board("nucleo_f446re").source.read_text(encoding="utf-8")  # type: ignore[union-attr]


def test_the_promised_boards_are_there() -> None:
    promised = """nucleo_f446re nucleo_f746zg disco_f746ng nucleo_h743zi2 nucleo_l476rg b_l475e_iot01a stm32f4_disco
        nrf52840dk arduino_nano_33_ble rpi_pico rpi_pico2 teensy41 esp32c3_devkitm esp32s3 nucleo_l4r5zi nucleo_f412zg
        nucleo_f767zi"""
    assert set(promised.split()) <= set(HARDWARE)


@pytest.mark.parametrize("name", HARDWARE)
def test_hardware_says_where_every_figure_is_from(name: str) -> None:
    """The loader checks that [[source]] covers all figures; here that it is there, with erase units and flashers."""
    board = load_board(name)
    assert any(source.verified for source in board.sources) or board.bsp_dir is None
    assert source_of(board.sources, "clock_hz") is not None
    assert board.geometry.size == board.flash.size
    assert set(board.flashers) <= set(METHODS)
    assert bool(board.flashers) or board.bsp_dir is None


def test_the_most_exact_name_is_the_source() -> None:
    board = load_board("stm32f4_disco")
    bank, retention = source_of(board.sources, "ram.ccm.size"), source_of(board.sources, "ram.ccm.retention")
    assert bank is not None
    assert retention is not None
    assert (bank.verified, retention.verified) == (True, False)


def test_every_method_a_board_may_name_is_there() -> None:
    assert set(FLASHERS) == set(METHODS)


def test_sectors() -> None:
    geometry = load_board("nucleo_f446re").geometry
    assert geometry.sectors_of(0, 1) == ((0, 16 << 10),)
    assert geometry.sectors_of(60 << 10, 130 << 10) == (
        (48 << 10, 16 << 10),
        (64 << 10, 64 << 10),
        (128 << 10, 128 << 10),
    )


def test_filters() -> None:
    found = boards(sram="500K", core="m4").boards
    assert {"nucleo_l4r5zi", "emulated_m4"} <= {board.name for board in found}
    assert all(board.core.name == "cortex-m4" and board.model_sram_bytes >= 500 << 10 for board in found)
    assert [board.name for board in boards(core="xtensa-lx7").boards] == ["esp32s3"]
    with pytest.raises(UsageError, match="no core"):
        boards(core="z80")


@pytest.mark.parametrize("like", HARDWARE)
def test_a_new_board_starts_from_any(tmp_path: Path, like: str) -> None:
    board = load_board(new_board("my_board", like=like, out=tmp_path / "my_board.toml"))
    model = load_board(like)
    assert (board.name, board.clock_hz, board.banks) == ("my_board", model.clock_hz, model.banks)
    assert not any(source.verified for source in board.sources)
    with pytest.raises(UsageError, match="exists already"):
        new_board("my_board", like=like, out=tmp_path / "my_board.toml")


@pytest.mark.parametrize(
    "name, like, message", [("9x", None, "no board name"), ("mine", "nonesuch", "there is no board")]
)
def test_new_boards_that_cannot_be(tmp_path: Path, name: str, like: str | None, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        new_board(name, like=like, out=tmp_path / f"{name}.toml")


def test_start_up_code_beside_the_board_file(tmp_path: Path) -> None:
    (tmp_path / "my_bsp").mkdir()
    (tmp_path / "my_bsp" / "bsp.c").write_text("")
    board = load_board(write(tmp_path, SAMPLE.replace('bsp = "cmsdk"', 'bsp = "./my_bsp"')))
    assert board.bsp_dir == tmp_path / "my_bsp"


@pytest.mark.parametrize(
    "old, new, message",
    [
        ('of = ["uart"', 'of = ["uarts"', "'uarts' is no figure of this file"),
        (', "clock_hz"', "", "no .*source.* says where these are from: clock_hz"),
        ("verified = false", "verified = 1", "verified: 1 has the wrong type"),
        ("pll_n = 360", "pll_n = 500", "pll_n: 500 is outside 50..432"),
        ("pll_n = 360", "pll_x = 360", "pll_n: this key is missing"),
        ("pll_n = 360", "pll_n = 360\npll_x = 1", "unknown key pll_x"),
        ('"3x128K"', '"4x128K"', "add up to 655,360 B, the flash has 524,288 B"),
        ('"3x128K"', '"3*128K"', "is no run of sectors"),
        ('tx = "PA2"', 'tx = "A/2"', "'A/2' is no pin"),
        ('"gdb"', '"telepathy"', "'telepathy' is not one of: emulated, gdb, pyocd"),
        ('openocd_config = "board/st_nucleo_f4.cfg"', "", "'openocd' needs openocd_config"),
        ('bsp = "stm32f4"', 'bsp = "stm32f9"', "no folder 'stm32f9' in firmware/bsp"),
        ('retention = "standby"', 'retention = "forever"', "'forever' is not one of: none, sleep"),
        ("origin = 0x4002_4000", "origin = 0x2000_0000", "overlap"),
    ],
)
def test_errors_of_hardware_boards(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = NUCLEO.replace('name = "nucleo_f446re"', 'name = "mine"')
    assert old in text
    (tmp_path / "mine.toml").write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(UsageError, match=message):
        load_board(tmp_path / "mine.toml")


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
