"""Boards from TOML files: strict, with errors that name file, key and what is allowed."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

from tinyforge.errors import UsageError
from tinyforge.paths import boards_dir
from tinyforge.target.board import QEMU_BOOTS, Board, MemoryBank, QemuMachine, Uart
from tinyforge.target.core import CORES, Core
from tinyforge.target.fields import Fields

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CYCLE_SOURCES = ("dwt", "systick", "cmsdk-timer", "sse-counter", "mcycle")
EMULATORS = ("unicorn", "qemu", "none")
_ADDRESS_LIMIT = (1 << 32) - 1
_MAX_FILE_BYTES = 1 << 20


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
    name = fields.text("name", allowed=(path.stem,))
    core = CORES[fields.text("core", allowed=tuple(CORES))]
    banks = tuple(_bank(entry) for entry in fields.tables("ram"))
    emulator = fields.text("emulator", "none", EMULATORS)
    board = Board(
        name=name,
        title=fields.text("title"),
        core=core,
        features=_features(fields, core),
        clock_hz=fields.integer("clock_hz", low=1_000_000, high=2_000_000_000),
        flash=_bank(fields.table("flash"), "flash"),
        banks=banks,
        bsp=fields.text("bsp"),
        uart=_uart(fields.table("uart")),
        cycle_source=fields.text("cycle_source", allowed=CYCLE_SOURCES),
        flashers=fields.texts("flashers"),
        emulator="" if emulator == "none" else emulator,
        firmware_sram_bytes=fields.size("firmware_sram", 4096),
        qemu=_qemu(fields.optional_table("qemu")),
        source=path.resolve(),
    )
    fields.finish()
    _check(board, fields)
    return board


def _features(fields: Fields, core: Core) -> tuple[str, ...]:
    chosen = fields.texts("features", ())
    for feature in chosen:
        if feature not in core.optional + core.always:
            allowed = ", ".join(core.optional + core.always) or "none"
            fields.fail("features", f"{feature!r} does not exist on {core.name}; allowed: {allowed}")
    if "fpu-dp" in chosen and "fpu" not in chosen:
        fields.fail("features", "'fpu-dp' needs 'fpu' beside it")
    return tuple(sorted(set(chosen) | set(core.always)))


def _bank(fields: Fields, name: str | None = None) -> MemoryBank:
    bank = MemoryBank(
        name=name or fields.text("name"),
        origin=fields.integer("origin", high=_ADDRESS_LIMIT),
        size=fields.size("size"),
        wait_states=fields.integer("wait_states", 0, high=64),
        speed=fields.integer("speed", 0, high=9),
        line_bytes=fields.integer("line_bytes", 16, low=4, high=256),
        cache_bytes=fields.integer("cache_bytes", 0, high=1 << 20),
    )
    if bank.line_bytes & (bank.line_bytes - 1):
        fields.fail("line_bytes", f"{bank.line_bytes} is no power of two")
    if not bank.name.isidentifier() or bank.end > _ADDRESS_LIMIT + 1:
        fields.fail("name", f"bank {bank.name!r} needs a C identifier as name and must end below 4 GiB")
    fields.finish()
    return bank


def _uart(fields: Fields) -> Uart:
    uart = Uart(
        base=fields.integer("base", high=_ADDRESS_LIMIT),
        baud=fields.integer("baud", 115200, low=1200, high=12_000_000),
    )
    fields.finish()
    return uart


def _qemu(fields: Fields | None) -> QemuMachine | None:
    if fields is None:
        return None
    machine = QemuMachine(
        machine=fields.text("machine"),
        cycle_hz=fields.integer("cycle_hz", low=1_000),
        boot=fields.text("boot", QEMU_BOOTS[0], QEMU_BOOTS),
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
    spans = sorted((bank.origin, bank.end, bank.name) for bank in (board.flash, *board.banks))
    for (_, end, first), (origin, _, second) in pairwise(spans):
        if origin < end:
            fields.fail("ram", f"banks {first} and {second} overlap at 0x{origin:08x}")
    if len({bank.name for bank in board.banks}) != len(board.banks):
        fields.fail("ram", "two banks have the same name")
