"""Calls in RV32IMC machine code: what the stack bound needs to know of a function."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_RA = 1
_SP = 2
_JAL, _JALR, _AUIPC = 0x6F, 0x67, 0x17
_ADDI_SP = _SP << 15 | _SP << 7 | 0x13  # all but the immediate
_C_QUADRANT_1, _C_QUADRANT_2 = 1, 2


@dataclass(frozen=True, slots=True)
class Jump:
    """An unconditional jump. target: address, None where it is computed at run time; links: it is a call."""

    target: int | None
    links: bool


def jumps(code: bytes, address: int) -> Iterator[Jump]:
    """Jumps of `code` at `address`, returns left out, in order."""
    upper: tuple[int, int] | None = None  # register and value of an AUIPC just before
    for at, word, compressed in _encodings(code):
        if compressed:
            yield from _compressed(word, address + at)
            upper = None
            continue
        yield from _full(word, address + at, upper)
        auipc = word & 0x7F == _AUIPC
        upper = (_rd(word), address + at + (word & ~0xFFF)) if auipc else None


def pushed(code: bytes) -> int:
    """Bytes that `code` takes from the stack: of assembly, whose frame no compiler tells."""
    return sum(max(0, -_added_to_sp(word, compressed)) for _, word, compressed in _encodings(code))


def _encodings(code: bytes) -> Iterator[tuple[int, int, bool]]:
    """Offset and encoding of every instruction, and whether it is a compressed one."""
    at = 0
    while at + 2 <= len(code):
        compressed = code[at] & 3 != 3
        size = 2 if compressed else 4
        yield at, int.from_bytes(code[at : at + size], "little"), compressed
        at += size


def _added_to_sp(word: int, compressed: bool) -> int:
    """What an ADDI of the stack pointer to itself adds; 0 for other instructions."""
    if compressed:
        return _compressed_addi_sp(word)
    return _signed(word >> 20, 12) if word & 0xFFFFF == _ADDI_SP else 0


def _compressed_addi_sp(half: int) -> int:
    """What a C.ADDI16SP or C.ADDI adds to the stack pointer; 0 for others."""
    if half & 3 != _C_QUADRANT_1 or half >> 7 & 31 != _SP:
        return 0
    if half >> 13 == 0b000:
        return _signed((half >> 12 & 1) << 5 | half >> 2 & 31, 6)
    if half >> 13 != 0b011:
        return 0
    places = ((12, 9), (6, 4), (5, 6), (4, 8), (3, 7), (2, 5))
    return _signed(sum((half >> bit & 1) << place for bit, place in places), 10)


def _rd(word: int) -> int:
    return word >> 7 & 31


def _full(word: int, address: int, upper: tuple[int, int] | None) -> Iterator[Jump]:
    links = _rd(word) == _RA
    if word & 0x7F == _JAL:
        yield Jump((address + _jal_offset(word)) & 0xFFFFFFFF, links)
    elif word & 0x7F == _JALR:
        base, offset = word >> 15 & 31, _signed(word >> 20, 12)
        if upper is not None and upper[0] == base:
            yield Jump((upper[1] + offset) & 0xFFFFFFFE, links)
        elif links or base != _RA:
            yield Jump(None, links)


def _compressed(half: int, address: int) -> Iterator[Jump]:
    quadrant, function = half & 3, half >> 13
    if quadrant == _C_QUADRANT_1 and function in (0b001, 0b101):
        yield Jump((address + _cj_offset(half)) & 0xFFFFFFFF, function == 0b001)
    elif quadrant == _C_QUADRANT_2 and function == 0b100 and half >> 2 & 31 == 0 and half >> 7 & 31:
        links = bool(half >> 12 & 1)
        if links or half >> 7 & 31 != _RA:
            yield Jump(None, links)


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) & 1 else value


def _jal_offset(word: int) -> int:
    """imm[20|10:1|11|19:12] of a J-type word."""
    value = (word >> 31 & 1) << 20 | (word >> 12 & 0xFF) << 12 | (word >> 20 & 1) << 11 | (word >> 21 & 0x3FF) << 1
    return _signed(value, 21)


def _cj_offset(half: int) -> int:
    """imm[11|4|9:8|10|6|7|3:1|5] of a CJ-type halfword."""
    places = ((12, 11), (11, 4), (10, 9), (9, 8), (8, 10), (7, 6), (6, 7), (5, 3), (4, 2), (3, 1), (2, 5))
    return _signed(sum((half >> bit & 1) << place for bit, place in places), 12)
