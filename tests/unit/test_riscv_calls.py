"""Jumps found in RV32IMC machine code, encodings as the instruction set manual gives them."""

from __future__ import annotations

import pytest

from tinyforge.toolchain.riscv_calls import Jump, jumps, pushed

AT = 0x80000000


def words(*values: int) -> bytes:
    """32-bit instructions as they lie in memory; those without 0b11 in the low bits are compressed."""
    return b"".join(v.to_bytes(4 if v & 3 == 3 else 2, "little") for v in values)


@pytest.mark.parametrize(
    "code, expected",
    [
        (words(0x008000EF), [Jump(AT + 8, True)]),  # jal ra, +8
        (words(0xFFDFF06F), [Jump(AT - 4, False)]),  # j -4
        (words(0x00001097, 0x010080E7), [Jump(AT + 0x1010, True)]),  # auipc ra, 1; jalr 16(ra)
        (words(0x00000317, 0x00430067), [Jump(AT + 4, False)]),  # auipc t1, 0; jr 4(t1)
        (words(0x00001097, 0x00000013, 0x010080E7), [Jump(None, True)]),  # something between them
        (words(0x000500E7), [Jump(None, True)]),  # jalr a0
        (words(0x00050067), [Jump(None, False)]),  # jr a0
        (words(0x00008067), []),  # ret
        (words(0x2011), [Jump(AT + 4, True)]),  # c.jal +4
        (words(0xA011), [Jump(AT + 4, False)]),  # c.j +4
        (words(0xBFFD), [Jump(AT - 2, False)]),  # c.j -2
        (words(0x9502), [Jump(None, True)]),  # c.jalr a0
        (words(0x8502), [Jump(None, False)]),  # c.jr a0
        (words(0x8082), []),  # c.ret
        (words(0x852E, 0x9002), []),  # c.mv a0, a1; c.ebreak
        (words(0x0001, 0x008000EF), [Jump(AT + 10, True)]),  # c.nop before
    ],
)
def test_jumps(code: bytes, expected: list[Jump]) -> None:
    assert list(jumps(code, AT)) == expected


@pytest.mark.parametrize(
    "code, expected",
    [
        (words(0xFE010113, 0x00812023, 0x02010113), 32),  # addi sp, sp, -32; sw s0, 0(sp); addi sp, sp, 32
        (words(0x7139, 0x8082), 64),  # c.addi16sp sp, -64; c.ret
        (words(0x1141, 0x0141), 16),  # c.addi sp, -16; c.addi sp, 16
        (words(0x1571), 0),  # c.addi a0, -4
        (words(0xFE810113, 0x1141), 40),  # addi sp, sp, -24; c.addi sp, -16
    ],
)
def test_stack_that_assembly_takes(code: bytes, expected: int) -> None:
    assert pushed(code) == expected
