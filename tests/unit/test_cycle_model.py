"""The timing tables, on instruction sequences whose cost can be said by hand."""

from __future__ import annotations

import pytest

from tinyforge.device.emulate.cycles import _decode_bytes, _kind, _m4_block, _m7_block

LDR = "0868"  # ldr r0, [r1]
LDR2 = "5368"  # ldr r3, [r2, #4]
STR = "0860"  # str r0, [r1]
ADD = "0130"  # adds r0, #1
ADD_R5 = "0135"  # adds r5, #1
MUL = "4843"  # muls r0, r1, r0
PUSH4 = "0fb4"  # push {r0-r3}
SDIV = "91fbf2f0"  # sdiv r0, r1, r2


@pytest.mark.parametrize(
    "code, m4, m7",
    [
        (ADD, 1, 1),
        (ADD + ADD_R5, 2, 1),  # independent: one cycle on two issue slots
        (ADD + ADD, 2, 2),  # each needs the one before
        (LDR, 2, 1),
        (LDR + LDR2, 3, 1),  # second load is pipelined; the M7 does both at once
        (LDR + ADD, 3, 3),  # the loaded value is ready after two cycles
        (STR, 1, 1),
        (PUSH4, 5, 2),
        (SDIV, 7, 7),
        (MUL + MUL, 2, 3),
        ("", 0, 0),
    ],
)
def test_block_costs(code: str, m4: float, m7: float) -> None:
    instructions = _decode_bytes(bytes.fromhex(code), 0)
    assert (_m4_block(instructions), _m7_block(instructions)) == (m4, m7)


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
        ("smlad", "r0, r1, r2, r0", ("multiply", 1)),
        ("sxtb16", "r0, r1", ("plain", 1)),
        ("vdiv", "s0, s1, s2", ("float divide", 1)),
        ("itt", "eq", ("it", 1)),
    ],
)
def test_kinds(name: str, operands: str, kind: tuple[str, int]) -> None:
    assert _kind(name, operands) == kind
