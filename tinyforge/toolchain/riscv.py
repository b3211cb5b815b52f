"""Cross compilers for RV32: the clang inside the ziglang wheel, and riscv64-unknown-elf-gcc."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tinyforge.errors import ToolMissing, UsageError
from tinyforge.paths import firmware_dir
from tinyforge.target import Board
from tinyforge.toolchain.arm import CODE_FLAGS, TOOLCHAINS, tool_version, zig_link_command, zig_path
from tinyforge.toolchain.compiler import CompileOptions, Compiler


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
        zig = zig_path()
        return [
            str(zig),
            "clang",
            "--target=riscv32-unknown-none-elf",
            f"-march={self.board.core.arch}_zicsr",
            "-mabi=ilp32",
            *CODE_FLAGS,
            "-fno-jump-tables",  # computed jumps would leave the stack bound open
            *options.common_flags(),
            "-nostdinc",
            "-isystem",
            str(zig.parent / "lib" / "include"),
            "-isystem",
            str(firmware_dir() / "libc"),
            "-c",
            str(source),
            "-o",
            str(output),
        ]

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
        return [
            self.path,
            *self._target_flags(),
            *CODE_FLAGS,
            "-fno-jump-tables",  # computed jumps would leave the stack bound open
            "-ffreestanding",
            "-fbuiltin",
            *options.common_flags(),
            "-isystem",
            str(firmware_dir() / "libc"),
            "-c",
            str(source),
            "-o",
            str(output),
        ]

    def link_command(self, objects: Sequence[Path], output: Path, script: Path | None) -> list[str]:
        """Link firmware with GNU ld; libgcc gives what the core lacks."""
        command = [self.path, *self._target_flags(), "-nostdlib", "-nostartfiles", "-Wl,--gc-sections"]
        command += ["-Wl,--entry=Reset_Handler", "-Wl,--build-id=none", "-Wl,--no-warn-rwx-segments"]
        command += ["-T", str(script), f"-Wl,-Map={output.with_suffix('.map')}"]
        return [*command, *map(str, objects), "-lgcc", "-o", str(output)]


def riscv_compiler(board: Board, toolchain: str = "zig") -> Compiler:
    """The cross compiler `zig` or `gcc` for `board`.

    Raises UsageError for another name, ToolMissing where it is not installed.
    """
    if toolchain == "zig":
        zig_path()
        return ZigRiscv(board)
    if toolchain == "gcc":
        path = shutil.which("riscv64-unknown-elf-gcc")
        if path is None:
            raise ToolMissing(
                "riscv64-unknown-elf-gcc was not found; install it (apt install gcc-riscv64-unknown-elf) "
                "or use --toolchain zig, which comes with tinyforge"
            )
        return GccRiscv(board, path)
    raise UsageError(f"there is no toolchain {toolchain!r}; choose one of: {', '.join(TOOLCHAINS)}")
