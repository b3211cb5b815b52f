"""Estimates cycles from executed blocks: a table of instruction timings, no caches.

`cortex-m4` has the rules of the Cortex-M4 Technical Reference Manual's timing table: loads 2 cycles, 1 when the
instruction before was a load or store too (pipelined), single stores 1, load/store multiple 1 + n, taken branches 1 + P
with P = 2 (P is 1 to 3), integer divisions 7 (2 to 12), float divisions and square roots 14, everything else 1.
`cortex-m7` walks a block with two issue slots: in order, at most one multiply, one branch, one store and two loads a
cycle, no pairing where the second needs the first's result; a loaded value can be used after 2 cycles, a product after
2; a taken branch costs 1, and one in 16 is taken to be mispredicted at 8 more. Arm publishes no timings for the M7:
these figures are assumptions.
Both leave out caches and flash wait states. Ranking aids: neither was compared with hardware.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyforge.toolchain.elf import Image

CYCLE_MODELS = ("cortex-m4", "cortex-m7")

_M4_BRANCH = 2
_DIVISIONS = {"divide": 7, "float divide": 14}
_M7_TAKEN = 1.0 + 8.0 / 16.0
_M7_LATENCY = {"load": 2, "multiply": 2, **_DIVISIONS}


@dataclass(frozen=True, slots=True)
class _Instruction:
    """What timing needs to know: kind, transferred registers of a multiple, registers read and written."""

    kind: str
    transfers: int
    reads: frozenset[int]
    writes: frozenset[int]


def block_cycles(model: str, blocks: NDArray[Any], image: Image) -> NDArray[np.float64]:
    """Cycles spent in each of `blocks` (records of hooks.BLOCK_DTYPE) under one of CYCLE_MODELS."""
    cost = {"cortex-m4": _m4_block, "cortex-m7": _m7_block}[model]
    taken_cost = {"cortex-m4": float(_M4_BRANCH), "cortex-m7": _M7_TAKEN}[model]
    known: dict[tuple[int, int], float] = {}
    result = np.zeros(len(blocks))
    for i, block in enumerate(blocks):
        key = (int(block["address"]), int(block["size"]))
        if key not in known:
            known[key] = cost(_decode(image, *key))
        taken = float(block["count"] - block["fell_through"])
        result[i] = known[key] * float(block["count"]) + taken * taken_cost
    return result


def _decode(image: Image, address: int, size: int) -> tuple[_Instruction, ...]:
    for segment in image.segments:
        if segment.address <= address < segment.address + len(segment.data):
            at = address - segment.address
            return _decode_bytes(segment.data[at : at + size], address)
    return ()


@lru_cache(maxsize=65536)
def _decode_bytes(data: bytes, address: int) -> tuple[_Instruction, ...]:
    return tuple(_classify(item) for item in _engine().disasm(data, address))


@lru_cache(maxsize=1)
def _engine() -> Any:
    import capstone

    engine = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
    engine.detail = True
    return engine


def _classify(item: Any) -> _Instruction:
    reads, writes = item.regs_access()
    kind, transfers = _kind(item.mnemonic.split(".")[0], item.op_str)
    return _Instruction(kind, transfers, frozenset(reads), frozenset(writes))


# First match decides; names without condition or width suffix.
_KINDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("store", ("push", "vpush", "stm", "vstm", "str", "vstr")),
    ("load", ("pop", "vpop", "ldm", "vldm", "ldr", "vldr")),
    ("float divide", ("vdiv", "vsqrt")),
    ("divide", ("sdiv", "udiv")),
    ("multiply", ("mul", "mla", "mls", "sml", "smm", "smu", "sms", "umu", "uml", "uma", "vmla", "vfma", "vmul")),
    ("plain", ("bic", "bfi", "bfc")),
    ("branch", ("b", "cbz", "cbnz", "tbb", "tbh")),
    ("it", ("it",)),
)


def _kind(name: str, operands: str) -> tuple[str, int]:
    """Timing class and number of registers moved."""
    kind = next((kind for kind, prefixes in _KINDS if name.startswith(prefixes)), "plain")
    if kind not in ("load", "store"):
        return kind, 1
    if name.startswith(("ldrd", "strd")):
        return kind, 2
    return kind, operands.count(",") + 1 if "{" in operands and "[" not in operands else 1


def _m4_block(instructions: tuple[_Instruction, ...]) -> float:
    """Cycles of one pass; a final taken branch is added by the caller."""
    total = 0.0
    before = ""
    for instruction in instructions:
        kind = instruction.kind
        if kind in ("load", "store"):
            total += instruction.transfers
            total += 0.0 if before in ("load", "store") or (kind == "store" and instruction.transfers == 1) else 1.0
        elif kind in _DIVISIONS:
            total += _DIVISIONS[kind]
        else:
            total += 1.0
        before = kind
    return total


def _m7_block(instructions: tuple[_Instruction, ...]) -> float:
    """Cycles of one pass through two in-order issue slots."""
    cycle = 0
    issued: list[_Instruction] = []
    ready: dict[int, int] = {}
    for instruction in instructions:
        start = max([cycle, *(ready.get(register, 0) for register in instruction.reads)])
        if start > cycle or not _pairs(issued, instruction):
            cycle = max(start, cycle + 1 if issued else cycle)
            issued = []
        issued.append(instruction)
        latency = _M7_LATENCY.get(instruction.kind, 1)
        for register in instruction.writes:
            ready[register] = cycle + latency
        if instruction.transfers > 2:
            cycle += (instruction.transfers - 1) // 2
        elif instruction.kind in _DIVISIONS:
            cycle += _DIVISIONS[instruction.kind] - 1
    return float(cycle + 1) if instructions else 0.0


def _pairs(issued: list[_Instruction], new: _Instruction) -> bool:
    """Whether `new` can issue in the same cycle as `issued`."""
    if not issued:
        return True
    if len(issued) >= 2:
        return False
    first = issued[0]
    if first.writes & (new.reads | new.writes) or first.transfers > 1 or new.transfers > 1:
        return False
    return not (first.kind == new.kind and new.kind in ("multiply", "store", "branch", "divide"))
