"""Cross compilers for RV32: the clang inside the ziglang wheel, and riscv64-unknown-elf-gcc."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tinyforge.errors import UsageError
from tinyforge.target import Board
from tinyforge.toolchain.arm import (
    TOOLCHAINS,
    find_gcc,
    gcc_link_command,
    gcc_object_command,
    tool_version,
    zig_link_command,
    zig_object_command,
    zig_path,
)
from tinyforge.toolchain.compiler import CompileOptions, Compiler

NO_TABLES = "-fno-jump-tables"
"""Computed jumps would leave the stack bound open."""


@dataclass(frozen=True, slots=True)
class ZigRiscv:
    """clang and LLD of the ziglang wheel for one board."""

    board: Board
    name: str = "zig"

    @property
    def identity(self) -> str:
        """Compiler version and target."""
        return f"{tool_version(str(zig_path()), 'clang', '--version')} ({self.board.core.name})"

    def object_command(self, source: Path, output: Path, options: CompileOptions) -> list[str]:
        """Compile one source. clang wants the CSR instructions named, which the port uses."""
        target = ["--target=riscv32-unknown-none-elf", f"-march={self.board.core.arch}_zicsr", "-mabi=ilp32"]
        return zig_object_command([*target, NO_TABLES], source, output, options)

    def link_command(self, objects: Sequence[Path], output: Path, script: Path | None) -> list[str]:
        """Link firmware with LLD."""
        return zig_link_command(objects, output, script)


@dataclass(frozen=True, slots=True)
class GccRiscv:
    """riscv64-unknown-elf-gcc for one board."""

    board: Board
    path: str
    name: str = "gcc"

    @property
    def identity(self) -> str:
        """Compiler version and target."""
        return f"{tool_version(self.path, '--version')} ({self.board.core.name})"

    def _target_flags(self) -> list[str]:
        # With the older specification CSR instructions belong to the base, and libgcc has a variant for the set.
        return [f"-march={self.board.core.arch}", "-misa-spec=2.2", "-mabi=ilp32"]

    def object_command(self, source: Path, output: Path, options: CompileOptions) -> list[str]:
        """Compile one source; freestanding headers, hosted builtins."""
        return gcc_object_command(self.path, [*self._target_flags(), NO_TABLES], source, output, options)

    def link_command(self, objects: Sequence[Path], output: Path, script: Path | None) -> list[str]:
        """Link firmware with GNU ld; libgcc gives what the core lacks."""
        return gcc_link_command(self.path, self._target_flags(), objects, output, script)


def riscv_compiler(board: Board, toolchain: str = "zig") -> Compiler:
    """The cross compiler `zig` or `gcc` for `board`.

    Raises UsageError for another name, ToolMissing where it is not installed.
    """
    if toolchain == "zig":
        zig_path()
        return ZigRiscv(board)
    if toolchain == "gcc":
        return GccRiscv(board, find_gcc("riscv64-unknown-elf-gcc", "gcc-riscv64-unknown-elf"))
    raise UsageError(f"there is no toolchain {toolchain!r}; choose one of: {', '.join(TOOLCHAINS)}")
