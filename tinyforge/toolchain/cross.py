"""The cross compiler for a board, whatever its core."""

from __future__ import annotations

from tinyforge.target import Board
from tinyforge.toolchain.arm import arm_compiler
from tinyforge.toolchain.compiler import Compiler
from tinyforge.toolchain.riscv import riscv_compiler


def cross_compiler(board: Board, toolchain: str = "zig") -> Compiler:
    """The compiler `zig` or `gcc` for `board`.

    Raises UsageError for another name, ToolMissing where it is not installed.
    """
    return riscv_compiler(board, toolchain) if board.core.is_riscv else arm_compiler(board, toolchain)
