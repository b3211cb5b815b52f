"""How clang and GCC are told which RV32 a board has."""

from __future__ import annotations

from tinyforge.target import Board
from tinyforge.toolchain.drivers import CoreFlags

GCC = "riscv64-unknown-elf-gcc"
GCC_PACKAGE = "gcc-riscv64-unknown-elf"

NO_TABLES = "-fno-jump-tables"
"""Computed jumps would leave the stack bound open."""


def zig_flags(board: Board) -> CoreFlags:
    """For clang, which wants the CSR instructions named that the port uses."""
    target = ("--target=riscv32-unknown-none-elf", f"-march={board.core.arch}_zicsr", "-mabi=ilp32")
    return CoreFlags(board.core.name, target, (NO_TABLES,))


def gcc_flags(board: Board) -> CoreFlags:
    """For GCC. With the older specification CSR instructions belong to the base; libgcc has a variant for that."""
    target = (f"-march={board.core.arch}", "-misa-spec=2.2", "-mabi=ilp32")
    return CoreFlags(board.core.name, target, (NO_TABLES,))
