"""Estimates cycles from executed blocks: two tables of instruction timings. docs/cycles.md has the rules and sources.

Both walk a block once, without what ran before it; neither knows caches. Flash wait states are added apart, from the
lines fetched and the bytes read. Neither was compared with hardware by this project.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyforge.device.emulate.decode import Instruction, decode
from tinyforge.device.emulate.timing_m7 import m7_block
from tinyforge.target.parts import MemoryBank
from tinyforge.toolchain.elf import Image

CYCLE_MODELS = ("cortex-m4", "cortex-m7")

M4_REFILL = 2  # of a taken branch: 1 to 3
M4_DIVISIONS = {"divide": 7, "float divide": 14, "float multiply": 3}  # 2 to 12; 14; 3
M7_TAKEN = 1.0  # a predicted branch, where the target cannot issue beside it
M7_MISPREDICTED = 7.0  # 6 to 8
_M7_UNALIGNED = 3.0
_M4_UNALIGNED = 1.0  # for every further access the bus makes of one


def block_cycles(model: str, blocks: NDArray[Any], image: Image) -> NDArray[np.float64]:
    """Cycles spent in each of ``blocks`` (records of hooks.BLOCK_DTYPE) under one of CYCLE_MODELS, flash without wait
    states."""
    walk = {"cortex-m4": m4_block, "cortex-m7": m7_block}[model]
    once = _walked(blocks, image, walk)
    count, through = blocks["count"].astype(float), blocks["fell_through"].astype(float)
    taken = count - through
    result = once * count
    if model == "cortex-m4":
        return np.asarray(result + taken * M4_REFILL + blocks["split_accesses"] * _M4_UNALIGNED, np.float64)
    # The rarer way out of a block is the one that was not foreseen.
    result += taken * M7_TAKEN + np.minimum(taken, through) * M7_MISPREDICTED
    return np.asarray(result + blocks["unaligned_accesses"] * _M7_UNALIGNED, np.float64)


def wait_cycles(blocks: NDArray[Any], flash: MemoryBank) -> NDArray[np.float64]:
    """Cycles each of ``blocks`` waits for ``flash``: for every line of code that neither the cache nor the prefetch of
    the next line has, and for every line of data, which is read once as weights are."""
    lines = blocks["fetch_misses"] + blocks["flash_read_bytes"] / flash.line_bytes
    return np.asarray(lines * flash.wait_states, np.float64)


def _walked(
    blocks: NDArray[Any], image: Image, walk: Callable[[tuple[Instruction, ...]], float]
) -> NDArray[np.float64]:
    """Cycles of one pass through each block."""
    known: dict[tuple[int, int], float] = {}
    result = np.zeros(len(blocks))
    for i, block in enumerate(blocks):
        key = (int(block["address"]), int(block["size"]))
        if key not in known:
            known[key] = walk(decode(image, *key))
        result[i] = known[key]
    return result


def m4_block(instructions: tuple[Instruction, ...]) -> float:
    """Cycles of one pass on the Cortex-M4; a final taken branch is added by the caller."""
    total = 0
    before: Instruction | None = None
    for instruction in instructions:
        total += _m4_cycles(instruction, before)
        before = instruction
    return float(total)


def _m4_cycles(new: Instruction, before: Instruction | None) -> int:
    if new.kind not in ("load", "store"):
        return M4_DIVISIONS.get(new.kind, 1)
    after_load = before is not None and before.kind == "load" and before.transfers == 1
    late_address = before is not None and bool(before.writes & new.address)
    if new.transfers > 1:
        return 1 + new.transfers + int(late_address and not after_load)
    if late_address:  # no forwarding into addresses; nor does a load pipeline behind the one it depends on
        stall = 0 if after_load else 1
        return stall + (2 if new.kind == "load" or new.indexed else 1)
    if new.kind == "store":
        return 2 if new.indexed and not after_load else 1
    return 1 if after_load else 2
