"""The arena in C: one array, or one a bank, and how generated code reaches an offset of the plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tinyforge.codegen.names import arena_macro, arena_symbol

if TYPE_CHECKING:
    from tinyforge.ir.memory_plan import MemoryPlan


@dataclass(frozen=True, slots=True)
class Address:
    """A place in an array of the arena. ``access``: the macro of generated code that reaches into that array."""

    access: str
    offset: int

    def of(self, ctype: str) -> str:
        """C expression of a pointer to ``ctype`` there."""
        return f"{self.access}({ctype}, {self.offset})"


@dataclass(frozen=True, slots=True)
class CArena:
    """An array as declared. ``macro``: its name in code, which a user may redefine; ``size_macro``: its bytes;
    ``bank``: where it must be placed, empty for the main bank."""

    symbol: str
    macro: str
    size_macro: str
    access: str
    nbytes: int
    bank: str


def address(plan: MemoryPlan, offset: int) -> Address:
    """Where an offset of the plan lies in C."""
    part = plan.part(offset)
    if part is None:
        return Address("ARENA", offset)
    return Address(_access(plan, part.bank), offset - part.start)


def _access(plan: MemoryPlan, bank: str) -> str:
    return f"ARENA_{bank.upper()}" if len(plan.parts) > 1 else "ARENA"


def c_arenas(plan: MemoryPlan, prefix: str) -> list[CArena]:
    """The arrays, in the order of the plan."""
    guard = prefix.upper()
    if not plan.parts:
        return [CArena(arena_symbol(prefix), arena_macro(guard), f"{guard}_ARENA_BYTES", "ARENA", plan.arena_bytes, "")]
    several = len(plan.parts) > 1
    found = []
    for part in plan.parts:
        suffix = part.bank if several else ""
        macro = arena_macro(guard, suffix)
        place = "" if part.main else part.bank
        access = _access(plan, part.bank)
        found.append(CArena(arena_symbol(prefix, suffix), macro, f"{macro}_BYTES", access, part.used_bytes, place))
    return found
