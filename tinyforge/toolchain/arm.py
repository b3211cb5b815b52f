"""How clang and GCC are told which Cortex-M a board has."""

from __future__ import annotations

from tinyforge.target import Board
from tinyforge.toolchain.drivers import CoreFlags

GCC = "arm-none-eabi-gcc"
GCC_PACKAGE = "gcc-arm-none-eabi"

_TRIPLES = {
    "armv6-m": "thumbv6m",
    "armv7-m": "thumbv7m",
    "armv7e-m": "thumbv7em",
    "armv8-m.main": "thumbv8m.main",
    "armv8.1-m.main": "thumbv8.1m.main",
}


def _fpu(board: Board) -> str | None:
    """Name of the floating-point unit for -mfpu, None without one."""
    if not board.has("fpu"):
        return None
    if board.core.name == "cortex-m4":
        return "fpv4-sp-d16"
    if board.core.arch == "armv8.1-m.main":
        return "fp-armv8-fullfp16-d16" if board.has("fpu-dp") else "fp-armv8-fullfp16-sp-d16"
    return "fpv5-d16" if board.has("fpu-dp") else "fpv5-sp-d16"


def _cpu(board: Board, name: str) -> str:
    """-mcpu value: the core `name` with what this chip lacks switched off."""
    if name == "cortex-m33" and not board.has("dsp"):
        return f"{name}+nodsp"
    if board.core.arch == "armv8.1-m.main" and not board.has("mve"):
        return f"{name}+nomve"
    return name


def zig_flags(board: Board) -> CoreFlags:
    """For clang."""
    cpu = _cpu(board, board.core.name)
    hard = board.has("fpu")
    triple = f"{_TRIPLES[board.core.arch]}-none-eabi{'hf' if hard else ''}"
    target = (f"--target={triple}", f"-mcpu={cpu}", f"-mfloat-abi={'hard' if hard else 'soft'}")
    return CoreFlags(cpu, (*target, f"-mfpu={_fpu(board) or 'none'}"), ("-mthumb",))


def gcc_flags(board: Board) -> CoreFlags:
    """For GCC; version 12 does not know the M85, whose instruction set is the M55's."""
    cpu = _cpu(board, board.core.name.replace("cortex-m85", "cortex-m55"))
    fpu = _fpu(board)
    target = (f"-mcpu={cpu}", "-mthumb", f"-mfloat-abi={'hard' if fpu else 'soft'}")
    if fpu is None:
        return CoreFlags(cpu, target)
    return CoreFlags(cpu, (*target, "-mfpu=auto" if board.core.arch == "armv8.1-m.main" else f"-mfpu={fpu}"))
