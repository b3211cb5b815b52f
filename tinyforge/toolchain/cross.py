"""The cross compiler for a board, whatever its core."""

from __future__ import annotations

from tinyforge.errors import UsageError
from tinyforge.target import Board
from tinyforge.toolchain import arm, riscv
from tinyforge.toolchain.compiler import Compiler
from tinyforge.toolchain.drivers import Gcc, Zig, find_gcc, zig_path

TOOLCHAINS = ("zig", "gcc")


def cross_compiler(board: Board, toolchain: str = "zig") -> Compiler:
    """The compiler `zig` or `gcc` for `board`.

    Raises UsageError for another name, ToolMissing where it is not installed.
    """
    core = riscv if board.core.is_riscv else arm
    if toolchain == "zig":
        zig_path()
        return Zig(core.zig_flags(board))
    if toolchain == "gcc":
        return Gcc(core.gcc_flags(board), find_gcc(core.GCC, core.GCC_PACKAGE))
    raise UsageError(f"there is no toolchain {toolchain!r}; choose one of: {', '.join(TOOLCHAINS)}")
