"""What every C compiler driver offers, and the flags all of them share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

# Generated and hand-written C alike must pass these on every compiler.
STRICT_FLAGS = (
    "-std=c11",
    "-Wall",
    "-Wextra",
    "-Wpedantic",
    "-Werror",
    "-Wconversion",
    "-Wshadow",
    "-Wundef",
    "-Wstrict-prototypes",
    "-Wmissing-prototypes",
    "-Wdouble-promotion",
    "-Wvla",
)
OPTIMIZE_LEVELS = ("O0", "O1", "O2", "O3", "Os", "Oz")


@dataclass(frozen=True, slots=True)
class CompileOptions:
    """How C sources are compiled.

    optimize: one of OPTIMIZE_LEVELS. defines: `NAME` or `NAME=VALUE`. includes: searched in order before
    the system's. sanitize: address and undefined-behaviour checks (host only). extra: flags for one source.
    """

    optimize: str = "O2"
    defines: tuple[str, ...] = ()
    includes: tuple[Path, ...] = ()
    sanitize: bool = False
    extra: tuple[str, ...] = field(default=())

    def common_flags(self) -> list[str]:
        """Flags that mean the same to every driver."""
        flags = [*STRICT_FLAGS, f"-{self.optimize}"]
        flags += [f"-D{define}" for define in self.defines]
        flags += [f"-I{include}" for include in self.includes]
        return [*flags, *self.extra]


class Compiler(Protocol):
    """A C compiler with its linker, for one target."""

    @property
    def name(self) -> str:
        """Short name the user chooses it by: `zig`, `gcc`, `clang`, `cc`."""

    @property
    def identity(self) -> str:
        """Name, version and target: part of every object's cache key and of reports."""

    def object_command(self, source: Path, output: Path, options: CompileOptions) -> list[str]:
        """The command that compiles `source` to `output` (and `.su` beside it where the driver can)."""

    def link_command(self, objects: Sequence[Path], output: Path, script: Path | None) -> list[str]:
        """The command that links `objects` to `output`; `script` is a linker script for firmware."""
