"""Boards from TOML files: strict, with errors that name file, key and what is allowed."""

from __future__ import annotations

import re
import sys
from itertools import pairwise
from pathlib import Path

from tinyforge.errors import UsageError
from tinyforge.paths import boards_dir
from tinyforge.target.board import Board
from tinyforge.target.bsp import BSP_FILE, Bsp, bsp_folder, read_bsp, read_settings
from tinyforge.target.core import CORES, Core
from tinyforge.target.fields import Fields, parse_size
from tinyforge.target.flashing import check_flashers, read_flash_tools
from tinyforge.target.parts import (
    QEMU_BOOTS,
    RETENTION,
    FlashGeometry,
    Led,
    MemoryBank,
    Pin,
    QemuMachine,
    SectorRun,
    Uart,
)
from tinyforge.target.sources import read_sources

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CYCLE_SOURCES = ("dwt", "systick", "cmsdk-timer", "sse-counter", "mcycle", "mpccr", "ccount")
EMULATORS = ("unicorn", "qemu", "none")
_ADDRESS_LIMIT = (1 << 32) - 1
_MAX_FILE_BYTES = 1 << 20
_MAX_SECTORS = 1 << 16
# PA2 (STM32), P0.06 (nRF), GP25 (RP2040), GPIO21 (ESP32), or any other word with one trailing number.
_PIN = re.compile(r"(?:P([A-K])(\d{1,2})|P([0-3])\.(\d{1,2})|[A-Z]+(\d{1,2}))")
_SECTORS = re.compile(r"(\d{1,5})x(\d+[KM]?)")


def board_names() -> tuple[str, ...]:
    """Names of all shipped boards, sorted."""
    return tuple(sorted(path.stem for path in boards_dir().glob("*.toml")))


def load_board(name_or_path: str | Path) -> Board:
    """The shipped board of that name, or the one a `.toml` path describes.

    Raises UsageError for an unknown name or a malformed file.
    """
    text = str(name_or_path)
    path = Path(text) if text.endswith(".toml") else boards_dir() / f"{text}.toml"
    if text not in board_names() and not (text.endswith(".toml") and path.is_file()):
        raise UsageError(
            f"there is no board {text!r}; choose one of: {', '.join(board_names())}; or give the path of a .toml file"
        )
    return parse_board(_read_toml(path), path)


def _read_toml(path: Path) -> dict[str, object]:
    try:
        data = path.read_bytes()
        if len(data) > _MAX_FILE_BYTES:
            raise UsageError(f"{path.name}: {len(data):,} B is no board file (limit {_MAX_FILE_BYTES:,} B)")
        return tomllib.loads(data.decode("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path.name}: cannot be read as TOML: {error}") from error


def parse_board(table: dict[str, object], path: Path) -> Board:
    """The board described by `table`, read from `path` (whose stem must be the board's name)."""
    fields = Fields(table, path.name)
    core = CORES[fields.text("core", allowed=tuple(CORES))]
    emulator = fields.text("emulator", "none", EMULATORS)
    bsp = _bsp(fields, path)
    clock = fields.optional_table("clock")
    flash, geometry = _flash(fields.table("flash"))
    board = Board(
        name=fields.text("name", allowed=(path.stem,)),
        title=fields.text("title"),
        mcu=fields.text("mcu", ""),
        core=core,
        features=_features(fields, core),
        clock_hz=fields.integer("clock_hz", low=1_000_000, high=2_000_000_000),
        flash=flash,
        geometry=geometry,
        banks=tuple(_bank(entry) for entry in fields.tables("ram")),
        unused_ram=tuple(_bank(entry) for entry in fields.tables("unused_ram", ())),
        bsp=fields.text("bsp"),
        bsp_dir=bsp.folder if bsp else None,
        settings=read_settings(bsp, clock, fields) if bsp else (),
        uart=_uart(fields.table("uart")),
        led=_led(fields.optional_table("led")),
        cycle_source=fields.text("cycle_source", allowed=CYCLE_SOURCES),
        flashers=fields.texts("flashers"),
        tools=read_flash_tools(fields.optional_table("flashing")),
        emulator="" if emulator == "none" else emulator,
        firmware_sram_bytes=fields.size("firmware_sram", 4096),
        qemu=_qemu(fields.optional_table("qemu")),
        sources=read_sources(table, fields),
        source=path.resolve(),
    )
    fields.finish()
    _check(board, fields)
    return board


def _bsp(fields: Fields, path: Path) -> Bsp | None:
    """The start-up code the file names, None where the board has none."""
    folder = bsp_folder(fields.text("bsp"), path)
    if folder is None:
        return None
    if not folder.is_dir():
        fields.fail("bsp", f"there is no folder {folder.name!r} in firmware/bsp; './NAME' is one beside this file")
    return _load_bsp(folder)


def _load_bsp(folder: Path) -> Bsp:
    described = folder / BSP_FILE
    return read_bsp(folder, _read_toml(described) if described.is_file() else {})


def bsp_sources(folder: Path) -> tuple[str, ...]:
    """C sources of a folder of start-up code, by name."""
    return _load_bsp(folder).sources


def _features(fields: Fields, core: Core) -> tuple[str, ...]:
    chosen = fields.texts("features", ())
    for feature in chosen:
        if feature not in core.optional + core.always:
            allowed = ", ".join(core.optional + core.always) or "none"
            fields.fail("features", f"{feature!r} does not exist on {core.name}; allowed: {allowed}")
    if "fpu-dp" in chosen and "fpu" not in chosen:
        fields.fail("features", "'fpu-dp' needs 'fpu' beside it")
    return tuple(sorted(set(chosen) | set(core.always)))


def _bank(fields: Fields) -> MemoryBank:
    bank = MemoryBank(
        name=fields.text("name"),
        origin=fields.integer("origin", high=_ADDRESS_LIMIT),
        size=fields.size("size"),
        wait_states=fields.integer("wait_states", 0, high=64),
        speed=fields.integer("speed", 0, high=9),
        dma=fields.boolean("dma", True),
        retention=fields.text("retention", "stop", RETENTION),
    )
    if not bank.name.isidentifier() or bank.end > _ADDRESS_LIMIT + 1:
        fields.fail("name", f"bank {bank.name!r} needs a C identifier as name and must end below 4 GiB")
    fields.finish()
    return bank


def _flash(fields: Fields) -> tuple[MemoryBank, FlashGeometry]:
    """The flash as a bank, and its erase units."""
    bank = MemoryBank(
        name="flash",
        origin=fields.integer("origin", high=_ADDRESS_LIMIT),
        size=fields.size("size"),
        wait_states=fields.integer("wait_states", 0, high=64),
        line_bytes=fields.integer("line_bytes", 16, low=4, high=256),
        cache_bytes=fields.integer("cache_bytes", 0, high=1 << 20),
    )
    if bank.line_bytes & (bank.line_bytes - 1):
        fields.fail("line_bytes", f"{bank.line_bytes} is no power of two")
    if bank.end > _ADDRESS_LIMIT + 1:
        fields.fail("size", "flash must end below 4 GiB")
    runs = tuple(_sector_run(text, fields) for text in fields.texts("sectors", ()))
    geometry = FlashGeometry(
        sectors=runs,
        write_bytes=fields.integer("write_bytes", 1, low=1, high=4096),
        data_origin=fields.optional_integer("data_origin"),
    )
    if runs and geometry.size != bank.size:
        fields.fail("sectors", f"they add up to {geometry.size:,} B, the flash has {bank.size:,} B")
    fields.finish()
    return bank, geometry


def _sector_run(text: str, fields: Fields) -> SectorRun:
    match = _SECTORS.fullmatch(text)
    if not match or not 0 < int(match.group(1)) <= _MAX_SECTORS:
        fields.fail("sectors", f"{text!r} is no run of sectors: write 4x16K")
    return SectorRun(int(match.group(1)), parse_size(match.group(2)))


def _pin(fields: Fields, key: str) -> Pin | None:
    """The pin of `key`, None where the file has none."""
    name = fields.text(key, "")
    if not name:
        return None
    match = _PIN.fullmatch(name)
    if not match:
        fields.fail(key, f"{name!r} is no pin: write it as the chip's manual does, PA2, P0.06 or GP25")
    letter, lettered, digit, numbered, plain = match.groups()
    if letter:
        return Pin(name, ord(letter) - ord("A"), int(lettered))
    return Pin(name, int(digit or 0), int(numbered or plain))


def _uart(fields: Fields) -> Uart:
    uart = Uart(
        base=fields.integer("base", high=_ADDRESS_LIMIT),
        baud=fields.integer("baud", 115200, low=1200, high=12_000_000),
        name=fields.text("name", ""),
        tx=_pin(fields, "tx"),
        rx=_pin(fields, "rx"),
        function=fields.integer("function", 0, high=31),
    )
    fields.finish()
    return uart


def _led(fields: Fields | None) -> Led | None:
    if fields is None:
        return None
    pin = _pin(fields, "pin")
    if pin is None:
        fields.fail("pin", "an [led] table needs one")
    led = Led(pin, fields.boolean("active_low", False))
    fields.finish()
    return led


def _qemu(fields: Fields | None) -> QemuMachine | None:
    if fields is None:
        return None
    machine = QemuMachine(
        machine=fields.text("machine"),
        cycle_hz=fields.integer("cycle_hz", low=1_000),
        boot=fields.text("boot", QEMU_BOOTS[0], QEMU_BOOTS),
        serial=fields.integer("serial", 0, high=7),
    )
    fields.finish()
    return machine


def _check(board: Board, fields: Fields) -> None:
    if not board.banks:
        fields.fail("ram", "a board needs at least one [[ram]] bank")
    if board.emulator == "qemu" and board.qemu is None:
        fields.fail("emulator", "'qemu' needs a [qemu] table")
    if board.emulator == "unicorn" and not board.core.unicorn_model:
        fields.fail("emulator", f"unicorn cannot run {board.core.name}")
    check_flashers(board.flashers, board.tools, fields)
    memories = (board.flash, *board.banks, *board.unused_ram)
    spans = sorted((bank.origin, bank.end, bank.name) for bank in memories)
    for (_, end, first), (origin, _, second) in pairwise(spans):
        if origin < end:
            fields.fail("ram", f"banks {first} and {second} overlap at 0x{origin:08x}")
    if len({bank.name for bank in memories}) != len(memories):
        fields.fail("ram", "two banks have the same name")
