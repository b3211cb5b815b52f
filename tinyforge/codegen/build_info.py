"""What a build folder says about itself: `OUT/.tinyforge/build.json`.

The compiler writes it, the toolchain, the runners and the reports read it. The loader is strict: unknown
or missing keys and wrong types are errors that name the file and the key.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tinyforge.codegen.names import arena_macro, arena_symbol
from tinyforge.errors import UsageError
from tinyforge.target.fields import Fields

FORMAT_VERSION = 1
METADATA_DIR = ".tinyforge"
BUILD_FILE = "build.json"
DTYPE_BYTES = {"int8": 1, "uint8": 1, "bool": 1, "int16": 2, "int32": 4, "float32": 4, "int64": 8}
INPUT_MODES = ("whole", "rows")
_MAX_FILE_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """A model input or output as the firmware keeps it.

    shape: as the model states it, batch included. dtype: key of `DTYPE_BYTES`.
    real = scale * (q - zero_point).
    getter: C function without arguments that returns its address.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float
    zero_point: int
    nbytes: int
    getter: str


@dataclass(frozen=True, slots=True)
class OperatorInfo:
    """One operator of the compiled model, in execution order.

    kind: lower-case operator kind. symbol: the C function that runs it. macs: multiply-accumulates of the
    whole operator, without recomputation. output_nbytes: bytes of each whole output tensor. repeats: index of the
    operator whose work this one does a second time, None where the network itself has it.
    """

    index: int
    name: str
    kind: str
    symbol: str
    macs: int
    output_nbytes: tuple[int, ...]
    repeats: int | None = None


@dataclass(frozen=True, slots=True)
class FlashBytes:
    """Flash a model needs, in bytes, without the firmware around it."""

    weights: int
    code: int
    total: int


@dataclass(frozen=True, slots=True)
class BankUse:
    """SRAM bank `name`: model bytes planned in it, and its size."""

    name: str
    used: int
    size: int


@dataclass(frozen=True, slots=True)
class ArenaInfo:
    """An array of the arena in C: ``symbol`` in the object file, ``macro`` in code, the bank it is planned in."""

    symbol: str
    macro: str
    bank: str
    nbytes: int


@dataclass(frozen=True, slots=True)
class BuildInfo:
    """Everything later steps need to know about a compiled model.

    name: C prefix. model_file: file name of the source. source_sha256: of that file. digest: of everything
    that determines the generated C. board: the board compiled for, cut to the two limits where given.
    stack_bytes, flash: 0 until the code was measured. schedule: one JSON object per stage.
    options: compile options as JSON values.
    """

    name: str
    model_file: str
    source_sha256: str
    digest: str
    board: str
    arena_bytes: int
    arena_bytes_without_input: int
    stack_bytes: int
    flash: FlashBytes
    input_mode: str
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    operators: tuple[OperatorInfo, ...]
    banks: tuple[BankUse, ...]
    schedule: tuple[Mapping[str, Any], ...]
    macs: int
    executed_macs: int
    proven_optimal: bool = False
    sram_limit_bytes: int | None = None
    flash_limit_bytes: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def macro(self) -> str:
        """Prefix of the model's C macros."""
        return self.name.upper()

    @property
    def arenas(self) -> tuple[ArenaInfo, ...]:
        """The arrays of the arena, in the order of the banks: one, or one in each bank that is used."""
        used = [bank for bank in self.banks if bank.used] or list(self.banks[:1])
        several = len(used) > 1
        return tuple(
            ArenaInfo(
                arena_symbol(self.name, bank.name if several else ""),
                arena_macro(self.macro, bank.name if several else ""),
                bank.name,
                bank.used,
            )
            for bank in used
        )

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the model's C sources in the build folder."""
        return (f"{self.name}.c", f"{self.name}_weights.c")

    def operator(self, index: int) -> OperatorInfo | None:
        """The operator with that index, or None."""
        return next((op for op in self.operators if op.index == index), None)


def metadata_dir(build_dir: Path) -> Path:
    """The hidden folder of a build."""
    return build_dir / METADATA_DIR


def save_build_info(info: BuildInfo, build_dir: Path) -> Path:
    """Write `info` below `build_dir` (made if needed); the same info gives the same bytes."""
    path = metadata_dir(build_dir) / BUILD_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {"format": FORMAT_VERSION, **asdict(info)}
    path.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return path


def load_build_info(build_dir: Path) -> BuildInfo:
    """Read the build info of `build_dir`. Raises UsageError where it is absent or malformed."""
    path = metadata_dir(build_dir) / BUILD_FILE
    if not path.is_file():
        raise UsageError(
            f"{build_dir} is no build folder (no {METADATA_DIR}/{BUILD_FILE}); make one with: tinyforge compile"
        )
    if path.stat().st_size > _MAX_FILE_BYTES:
        raise UsageError(f"{path}: larger than {_MAX_FILE_BYTES:,} B, this is no build file")
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: not valid JSON: {error}; compile the model again") from error
    return _build(Fields(document, str(path)))


def _build(fields: Fields) -> BuildInfo:
    version = fields.integer("format")
    if version != FORMAT_VERSION:
        fields.fail(
            "format",
            f"{version} was written by another tinyforge (this one reads {FORMAT_VERSION}); compile again",
        )
    info = BuildInfo(
        name=fields.text("name"),
        model_file=fields.text("model_file"),
        source_sha256=fields.text("source_sha256"),
        digest=fields.text("digest"),
        board=fields.text("board"),
        arena_bytes=fields.integer("arena_bytes"),
        arena_bytes_without_input=fields.integer("arena_bytes_without_input"),
        stack_bytes=fields.integer("stack_bytes"),
        flash=_flash(fields.table("flash")),
        input_mode=fields.text("input_mode", allowed=INPUT_MODES),
        inputs=tuple(_tensor(entry) for entry in fields.tables("inputs")),
        outputs=tuple(_tensor(entry) for entry in fields.tables("outputs")),
        operators=tuple(_operator(entry) for entry in fields.tables("operators")),
        banks=tuple(_bank(entry) for entry in fields.tables("banks")),
        schedule=tuple(fields.items("schedule")),
        macs=fields.integer("macs"),
        executed_macs=fields.integer("executed_macs"),
        proven_optimal=fields.boolean("proven_optimal"),
        sram_limit_bytes=fields.optional_integer("sram_limit_bytes"),
        flash_limit_bytes=fields.optional_integer("flash_limit_bytes"),
        options=fields.mapping("options"),
    )
    fields.finish()
    if not info.name.isidentifier() or not info.name.isascii():
        fields.fail("name", f"{info.name!r} is no C identifier")
    return info


def _tensor(fields: Fields) -> TensorInfo:
    tensor = TensorInfo(
        name=fields.text("name"),
        shape=fields.integers("shape"),
        dtype=fields.text("dtype", allowed=tuple(DTYPE_BYTES)),
        scale=fields.number("scale"),
        zero_point=fields.integer("zero_point", low=-(1 << 31)),
        nbytes=fields.integer("nbytes"),
        getter=fields.text("getter"),
    )
    fields.finish()
    return tensor


def _operator(fields: Fields) -> OperatorInfo:
    operator = OperatorInfo(
        index=fields.integer("index"),
        name=fields.text("name"),
        kind=fields.text("kind"),
        symbol=fields.text("symbol"),
        macs=fields.integer("macs"),
        output_nbytes=fields.integers("output_nbytes"),
        repeats=fields.optional_integer("repeats"),
    )
    fields.finish()
    return operator


def _flash(fields: Fields) -> FlashBytes:
    flash = FlashBytes(fields.integer("weights"), fields.integer("code"), fields.integer("total"))
    fields.finish()
    return flash


def _bank(fields: Fields) -> BankUse:
    bank = BankUse(fields.text("name"), fields.integer("used"), fields.integer("size"))
    fields.finish()
    return bank
