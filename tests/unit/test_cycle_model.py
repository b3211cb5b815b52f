"""The timing tables, on instruction sequences whose cost can be said by hand from the rules of docs/cycles.md."""

from __future__ import annotations

import numpy as np
import pytest

from tinyforge.device.emulate.cycles import block_cycles, m4_block, wait_cycles
from tinyforge.device.emulate.decode import decode_bytes, kind_of
from tinyforge.device.emulate.hooks import BLOCK_DTYPE
from tinyforge.device.emulate.timing_m7 import m7_block
from tinyforge.target import MemoryBank
from tinyforge.toolchain.elf import Image, Segment

LDR = "0868"  # ldr r0, [r1]
LDR2 = "5368"  # ldr r3, [r2, #4]
LDR_R0 = "0368"  # ldr r3, [r0]
LDRB = "0878"  # ldrb r0, [r1]
LDR_SAME_BANK = "8b68"  # ldr r3, [r1, #8]
LDR_OTHER_BANK = "4b68"  # ldr r3, [r1, #4]
STR = "0860"  # str r0, [r1]
STR_INDEXED = "8850"  # str r0, [r1, r2]
ADD = "0130"  # adds r0, #1
ADD_R1 = "0131"  # adds r1, #1
ADD_R5 = "0135"  # adds r5, #1
EOR_R0 = "6840"  # eors r0, r5
MUL = "4843"  # muls r0, r1, r0
SMLAD = "22fb0133"  # smlad r3, r2, r1, r3
SXTAB16 = "2cfa86f6"  # sxtab16 r6, r12, r6
UXTB = "c8b2"  # uxtb r0, r1
PUSH4 = "0fb4"  # push {r0-r3}
LDRD = "d1e90023"  # ldrd r2, r3, [r1]
SDIV = "91fbf2f0"  # sdiv r0, r1, r2


@pytest.mark.parametrize(
    "code, m4, m7",
    [
        (ADD, 1, 1),
        (ADD + ADD_R5, 2, 1),  # independent: one cycle on two issue slots
        (ADD + ADD, 2, 2),  # the same register twice
        (ADD + EOR_R0, 2, 2),  # an early sum could be passed on, but both write r0
        (LDR, 2, 1),
        (LDR + LDR2, 3, 1),  # second load is pipelined; the M7 does both at once
        (LDR + LDR_OTHER_BANK, 3, 1),
        (LDR + LDR_SAME_BANK, 3, 2),  # two even words
        (LDR + LDR_R0, 4, 3),  # address from a load
        (LDR + ADD, 3, 2),  # a loaded word is ready for the next cycle
        (LDRB + ADD, 3, 3),  # a loaded byte for the one after
        (ADD_R1 + LDR, 4, 2),  # address from an addition: a stall on the M4, the next cycle on the M7
        (STR, 1, 1),
        (STR_INDEXED, 2, 1),
        (LDR2 + STR_INDEXED, 3, 1),
        (STR + LDR2, 3, 1),  # nothing is pipelined behind a store of the M4
        (STR + STR, 2, 2),
        (PUSH4, 5, 2),
        (LDRD, 3, 1),
        (LDR2 + LDRD, 5, 2),
        (SDIV, 7, 7),
        (MUL + MUL, 2, 3),  # a product can be a factor two cycles later
        (SMLAD + SMLAD, 2, 2),  # but a sum the next cycle
        (UXTB + SXTAB16, 2, 2),
        ("", 0, 0),
    ],
)
def test_block_costs(code: str, m4: float, m7: float) -> None:
    instructions = decode_bytes(bytes.fromhex(code), 0)
    assert (m4_block(instructions), m7_block(instructions)) == (m4, m7)


@pytest.mark.parametrize(
    "name, operands, kind",
    [
        ("bics", "r0, r1", ("plain", 1)),
        ("beq", "#0x10", ("branch", 1)),
        ("cbz", "r0, #0x10", ("branch", 1)),
        ("bl", "#0x10", ("branch", 1)),
        ("ldrsb", "r0, [r1]", ("load", 1)),
        ("ldrd", "r0, r1, [r2]", ("load", 2)),
        ("pop", "{r4, r5, pc}", ("load", 3)),
        ("ldm", "r1!, {r4, r5}", ("load", 2)),
        ("smlad", "r0, r1, r2, r0", ("multiply", 1)),
        ("sxtb16", "r0, r1", ("lanes", 1)),
        ("vdiv", "s0, s1, s2", ("float divide", 1)),
        ("itt", "eq", ("it", 1)),
    ],
)
def test_kinds(name: str, operands: str, kind: tuple[str, int]) -> None:
    assert kind_of(name, operands) == kind


def blocks(**fields: int) -> np.ndarray:
    made = np.zeros(1, BLOCK_DTYPE)
    for name, value in {"address": 0x100, "size": 2, **fields}.items():
        made[name] = value
    return made


def test_edges_between_blocks() -> None:
    image = Image((), {}, (Segment(0x100, bytes.fromhex(ADD)),), (), ())
    ran = blocks(count=10, fell_through=2, unaligned_accesses=3, split_accesses=4)
    assert block_cycles("cortex-m4", ran, image) == [10 + 8 * 2 + 4]
    assert block_cycles("cortex-m7", ran, image) == [10 + 8 * 1 + 2 * 7 + 3 * 3]


def test_wait_states() -> None:
    ran = blocks(fetch_misses=3, flash_read_bytes=64)
    assert wait_cycles(ran, MemoryBank("flash", 0, 1024, wait_states=5, line_bytes=16)) == [(3 + 4) * 5]
