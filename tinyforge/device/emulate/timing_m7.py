"""Two in-order issue slots of a Cortex-M7: docs/cycles.md has the rules and their sources.

A result is ready at some cycle for the late ALU, the common case; addresses, shifted and extracted operands are read a
cycle before that.
"""

from __future__ import annotations

from tinyforge.device.emulate.decode import Instruction

# Cycles after issue until the late ALU can use a result; early readers wait one more.
_LATE = {"load": 1, "multiply": 2, "divide": 7, "float divide": 14, "float multiply": 5}
_ALONE = {"divide": 7, "float divide": 14}
_NARROW = 2  # bytes and halfwords


class _Pipeline:
    """Cycle and contents of the issue slots, and when each register can be read."""

    def __init__(self) -> None:
        self.cycle = 0
        self.issued: list[Instruction] = []
        self.late: dict[int, int] = {}
        self.early: dict[int, int] = {}
        self.added: dict[int, int] = {}
        self.loaded: dict[int, int] = {}

    def issue(self, new: Instruction) -> None:
        start = max(self.cycle, self._ready(new))
        if start > self.cycle or not _pairs(self.issued, new):
            self.cycle = max(start, self.cycle + 1 if self.issued else self.cycle)
            self.issued = []
        self.issued.append(new)
        self._finish(new)
        if new.transfers > 1:
            self.cycle += (new.transfers + 1) // 2 - 1
        self.cycle += _ALONE.get(new.kind, 1) - 1

    def _ready(self, new: Instruction) -> int:
        """First cycle in which every operand is there."""
        stored = new.reads - new.address if new.kind == "store" else frozenset()
        early = new.address | new.early
        plain = new.reads - early - new.addend - stored
        times = [self.early.get(r, 0) for r in early]
        times += [self.late.get(r, 0) for r in plain]
        times += [self.added.get(r, 0) for r in new.addend]
        if new.kind == "multiply":
            times += [self.loaded.get(r, 0) for r in plain]
        return max(times, default=0)

    def _finish(self, new: Instruction) -> None:
        late = self.cycle + (_NARROW if new.narrow else _LATE.get(new.kind, 0 if new.simple else 1))
        for register in new.writes:
            base = register in new.base
            self.late[register] = self.cycle if base else late
            self.early[register] = self.cycle + 1 if base or new.simple else late + 1
            self.added[register] = max(self.cycle, late - 1)
            self.loaded[register] = self.cycle + 2 if new.kind == "load" and not base else 0


def m7_block(instructions: tuple[Instruction, ...]) -> float:
    """Cycles of one pass on the Cortex-M7, branches predicted."""
    pipeline = _Pipeline()
    for instruction in instructions:
        pipeline.issue(instruction)
    return float(pipeline.cycle + 1) if instructions else 0.0


def _pairs(issued: list[Instruction], new: Instruction) -> bool:
    """Whether ``new`` can issue in the same cycle as ``issued``."""
    if not issued:
        return True
    if len(issued) >= 2:
        return False
    first = issued[0]
    if first.transfers > 1 or new.transfers > 1 or first.kind in _ALONE or new.kind in _ALONE:
        return False
    if first.writes & new.writes or new.kind == "lanes":
        return False
    if first.kind == new.kind == "load":
        return not _same_bank(first, new)
    kinds = {first.kind, new.kind}
    if first.kind == new.kind and new.kind in ("multiply", "store", "branch", "float multiply"):
        return False
    return kinds != {"multiply", "store"} and not (new.shifts and (first.shifts or first.kind == "lanes"))


def _same_bank(first: Instruction, new: Instruction) -> bool:
    """Whether two loads are known to read words of the same bank: even or odd words."""
    if first.address != new.address or first.offset is None or new.offset is None:
        return False
    return (first.offset ^ new.offset) & 4 == 0
