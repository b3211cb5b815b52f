"""What is in an ELF file: symbols, loadable bytes, section sizes."""

from __future__ import annotations

import bisect
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyforge.errors import ToolMissing

_ALLOC = 0x2
_EXECUTE = 0x4


@dataclass(frozen=True, slots=True)
class Symbol:
    """A function (`is_function`) or object: first address (Thumb bit cleared) and size in bytes."""

    name: str
    address: int
    size: int
    is_function: bool

    @property
    def end(self) -> int:
        """First address behind it."""
        return self.address + self.size


@dataclass(frozen=True, slots=True)
class Segment:
    """Bytes that must be in memory at `address` before start."""

    address: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Section:
    """An allocated section: `in_file` is False for .bss and the like."""

    name: str
    address: int
    size: int
    in_file: bool
    executable: bool


@dataclass(frozen=True, eq=False)
class Image:
    """A linked program. `code_spans`: address ranges that hold instructions, literal pools left out. riscv: its
    instructions are RISC-V's, else Thumb."""

    symbols: tuple[Symbol, ...]
    labels: dict[str, int]
    segments: tuple[Segment, ...]
    sections: tuple[Section, ...]
    code_spans: tuple[tuple[int, int], ...]
    riscv: bool = False

    def address(self, name: str) -> int:
        """Address of a symbol. Raises ToolMissing without it: the image was not built by tinyforge."""
        if name not in self.labels:
            raise ToolMissing(f"the firmware image has no symbol {name}; build it again with: tinyforge flash")
        return self.labels[name]

    def functions(self) -> list[Symbol]:
        """Functions, by address."""
        return sorted((s for s in self.symbols if s.is_function), key=lambda s: s.address)

    def function_at(self, address: int) -> Symbol | None:
        """The function that holds `address`."""
        functions = self.functions()
        index = bisect.bisect_right([f.address for f in functions], address) - 1
        if index < 0 or address >= functions[index].end:
            return None
        return functions[index]

    def where(self, address: int) -> str:
        """`0x00000123 (name+0x10)` for messages."""
        function = self.function_at(address)
        place = f" ({function.name}+0x{address - function.address:x})" if function else ""
        return f"0x{address:08x}{place}"

    def flash_bytes(self) -> int:
        """Bytes the image takes in flash."""
        return sum(len(segment.data) for segment in self.segments)

    def ram_bytes(self) -> int:
        """Bytes of RAM the image reserves: data, bss, stack, banks."""
        return sum(section.size for section in self.sections if _is_ram(section))


def _is_ram(section: Section) -> bool:
    return not section.in_file or section.name == ".data"


def load_image(path: Path) -> Image:
    """Read a linked firmware ELF. Raises ToolMissing when it is not one."""
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    try:
        with path.open("rb") as stream:
            return _image(ELFFile(stream))
    except (OSError, ELFError) as error:
        raise ToolMissing(f"{path} is no firmware image: {error}") from error


def _image(elf: Any) -> Image:
    table = elf.get_section_by_name(".symtab")
    entries = list(table.iter_symbols()) if table is not None else []
    symbols = []
    labels = {}
    for entry in entries:
        kind = entry["st_info"]["type"]
        if kind not in ("STT_FUNC", "STT_OBJECT", "STT_NOTYPE") or entry["st_shndx"] == "SHN_UNDEF":
            continue
        is_function = kind == "STT_FUNC"
        address = entry["st_value"] & ~1 if is_function else entry["st_value"]
        labels[entry.name] = address
        if kind != "STT_NOTYPE" and entry["st_size"]:
            symbols.append(Symbol(entry.name, address, entry["st_size"], is_function))
    segments = tuple(
        Segment(part["p_paddr"], part.data())
        for part in elf.iter_segments()
        if part["p_type"] == "PT_LOAD" and part["p_filesz"]
    )
    sections = tuple(
        Section(s.name, s["sh_addr"], s["sh_size"], s["sh_type"] != "SHT_NOBITS", bool(s["sh_flags"] & _EXECUTE))
        for s in elf.iter_sections()
        if s["sh_flags"] & _ALLOC and s["sh_size"]
    )
    riscv = elf["e_machine"] == "EM_RISCV"
    spans = _sections_of_code(sections) if riscv else _code_spans(entries, sections)
    return Image(tuple(symbols), labels, segments, sections, spans, riscv)


def _sections_of_code(sections: tuple[Section, ...]) -> tuple[tuple[int, int], ...]:
    """RISC-V compilers keep constants out of their code."""
    return tuple((s.address, s.address + s.size) for s in sections if s.executable)


def _code_spans(entries: list[Any], sections: tuple[Section, ...]) -> tuple[tuple[int, int], ...]:
    """Ranges between the mapping symbols $t and $d of the executable sections."""
    marks = sorted(
        {(e["st_value"], e.name[:2] == "$t") for e in entries if e.name[:2] in ("$t", "$d")},
    )
    spans = []
    for section in sections:
        if not section.executable:
            continue
        end = section.address + section.size
        inside = [mark for mark in marks if section.address <= mark[0] < end]
        for (start, is_code), (stop, _) in zip(inside, [*inside[1:], (end, False)], strict=True):
            if is_code and stop > start:
                spans.append((start, stop))
    return tuple(spans)


@dataclass(frozen=True, slots=True)
class ObjectSizes:
    """Flash taken by an object file: instructions and constant data, in bytes."""

    code: int
    constants: int


def object_sizes(path: Path) -> ObjectSizes:
    """Sizes of the allocated sections of an object file (.bss left out)."""
    from elftools.elf.elffile import ELFFile

    code = constants = 0
    with path.open("rb") as stream:
        for section in ELFFile(stream).iter_sections():
            if not section["sh_flags"] & _ALLOC or section["sh_type"] not in ("SHT_PROGBITS", 1):
                continue
            if section["sh_flags"] & _EXECUTE:
                code += section["sh_size"]
            else:
                constants += section["sh_size"]
    return ObjectSizes(code, constants)
