"""Machine code as what instruction timing needs to know."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tinyforge.toolchain.elf import Image

Registers = frozenset[int]
_NONE: Registers = frozenset()


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction. ``kind``: timing class, one of KINDS or ``plain``. ``transfers``: registers moved to or from
    memory, more than 1 for multiples and pairs.

    reads, writes: registers, flags included. address: those of ``reads`` that form an address. early: those shifted,
    extended or extracted before use. addend: those only added to a product. base: written back by an indexed access.
    narrow: loads a byte or halfword. indexed: a store whose address has a register as offset. shifts: uses the shifter
    beside another operation. simple: an addition, subtraction, move or shift. offset: of an address, None where not
    constant. text: mnemonic and operands.
    """

    kind: str
    transfers: int
    reads: Registers
    writes: Registers
    address: Registers = _NONE
    early: Registers = _NONE
    addend: Registers = _NONE
    base: Registers = _NONE
    narrow: bool = False
    indexed: bool = False
    shifts: bool = False
    simple: bool = False
    offset: int | None = None
    text: str = ""


# First match decides; names without condition or width suffix.
KINDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("store", ("push", "vpush", "stm", "vstm", "str", "vstr")),
    ("load", ("pop", "vpop", "ldm", "vldm", "ldr", "vldr")),
    ("float divide", ("vdiv", "vsqrt")),
    ("float multiply", ("vmla", "vmls", "vnml", "vfma", "vfms", "vfnm")),
    ("divide", ("sdiv", "udiv")),
    ("multiply", ("mul", "mla", "mls", "sml", "smm", "smu", "sms", "umu", "uml", "uma")),
    ("lanes", ("bfi", "bfc", "sbfx", "ubfx", "sxt", "uxt", "pkh", "rev", "rbit", "clz", "sel", "ssat", "usat")),
    ("lanes", ("qadd", "qsub", "qdadd", "sadd", "uadd", "ssub16", "usub", "shadd", "uhadd", "usad")),
    ("plain", ("bic",)),
    ("branch", ("b", "cbz", "cbnz", "tbb", "tbh")),
    ("it", ("it",)),
)
_SIMPLE = ("add", "sub", "rsb", "mov", "lsl", "lsr", "asr", "ror", "adr")
_EXTRACTS = ("sbfx", "ubfx", "rev", "rbit", "sxt", "uxt", "bfi")


def decode(image: Image, address: int, size: int) -> tuple[Instruction, ...]:
    """The instructions of a block; none for code that is not in the image."""
    for segment in image.segments:
        if segment.address <= address < segment.address + len(segment.data):
            at = address - segment.address
            return decode_bytes(segment.data[at : at + size], address)
    return ()


@lru_cache(maxsize=65536)
def decode_bytes(data: bytes, address: int) -> tuple[Instruction, ...]:
    """The instructions of Thumb code that lies at ``address``."""
    return tuple(_classify(item) for item in _engine().disasm(data, address))


@lru_cache(maxsize=1)
def _engine() -> Any:
    import capstone

    engine = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
    engine.detail = True
    return engine


def kind_of(name: str, operands: str) -> tuple[str, int]:
    """Timing class and number of registers moved."""
    kind = next((kind for kind, prefixes in KINDS if name.startswith(prefixes)), "plain")
    if kind not in ("load", "store"):
        return kind, 1
    if name.startswith(("ldrd", "strd")):
        return kind, 2
    return kind, operands[operands.index("{") :].count(",") + 1 if "{" in operands else 1


def _classify(item: Any) -> Instruction:
    from capstone import arm

    name = item.mnemonic.split(".")[0]
    kind, transfers = kind_of(name, item.op_str)
    memory = [op.mem for op in item.operands if op.type == arm.ARM_OP_MEM]
    operands = [op for op in item.operands if op.type == arm.ARM_OP_REG]
    registers = [op.reg for op in operands]
    reads, writes = (frozenset(side) for side in item.regs_access())
    if kind in ("plain", "lanes"):  # capstone 5 leaves out operands that are shifted or saturated
        reads |= frozenset(registers[1:])
    address = _address(name, kind, registers, memory)
    shifted = frozenset(op.reg for op in operands if op.shift.type)
    inline = bool(shifted) and kind == "plain"
    addend = _addend(name, registers) if kind == "multiply" else _NONE
    return Instruction(
        kind=kind,
        transfers=transfers,
        reads=reads | addend,
        writes=writes,
        address=address,
        early=shifted if inline else frozenset(registers[-1:]) if name.startswith(_EXTRACTS) else _NONE,
        addend=addend,
        base=address & writes,
        narrow=name.startswith(("ldrb", "ldrsb", "ldrh", "ldrsh")),
        indexed=kind == "store" and any(mem.index for mem in memory),
        shifts=inline,
        simple=kind == "plain" and name.startswith(_SIMPLE) and not inline,
        offset=next((mem.disp for mem in memory if not mem.index), None),
        text=f"{item.mnemonic} {item.op_str}",
    )


def _address(name: str, kind: str, registers: list[int], memory: list[Any]) -> Registers:
    """Registers of the address; the stack pointer for push and pop."""
    from capstone import arm

    if kind not in ("load", "store"):
        return _NONE
    if memory:
        return frozenset(r for mem in memory for r in (mem.base, mem.index) if r)
    return frozenset(registers[:1]) if name.startswith(("ldm", "stm", "vldm", "vstm")) else frozenset({arm.ARM_REG_SP})


def _addend(name: str, registers: list[int]) -> Registers:
    """What a product is added to: both destinations of long forms, else the fourth register."""
    if name.startswith(("smlal", "umlal", "umaal", "smlsl")):
        return frozenset(registers[:2])
    added = frozenset(registers[3:]) if not name.startswith(("smull", "umull")) else _NONE
    return added - frozenset(registers[1:3])
