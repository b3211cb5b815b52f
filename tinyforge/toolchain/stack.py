"""An upper bound of the stack a function needs: frame sizes from the compiler, calls from the machine code."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from tinyforge.toolchain.elf import Image, Symbol
from tinyforge.toolchain.objects import ObjectFile
from tinyforge.toolchain.riscv_calls import jumps, pushed

# Clones the compiler makes: name.constprop.0, name.part.1, name.isra.0, name.llvm.123
_CLONE = re.compile(r"\.(constprop|part|isra|cold|llvm|lto_priv)[.\d]*")
_SU_LINE = re.compile(r"^(?:.*:)?([^:\t]+)\t(\d+)\t(\S+)$")


@dataclass(frozen=True, slots=True)
class StackBound:
    """Stack of `root` and everything it calls.

    path: the calls that need the most. indirect: functions with calls through pointers; recursive: functions
    on a cycle; unknown: functions whose frame size is not known. The bound holds only where all three are empty.
    """

    root: str
    bytes: int
    path: tuple[str, ...]
    indirect: tuple[str, ...]
    recursive: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def proven(self) -> bool:
        """Whether nothing was left out."""
        return not (self.indirect or self.recursive or self.unknown)


@dataclass(frozen=True, slots=True)
class _Node:
    frame: int | None
    callees: tuple[int, ...]
    indirect: bool


def stack_bound(image: Image, objects: Sequence[ObjectFile], root: str) -> StackBound:
    """Bound of the function `root` of `image`, built from `objects`.

    Raises ToolMissing where the image has no such symbol.
    """
    frames = _frame_sizes(item.stack_usage for item in objects if item.stack_usage is not None)
    graph = _Graph(image, frames)
    start = image.address(root)
    total, path = graph.deepest(start)
    reached = graph.reached(start)
    names = {address: graph.name(address) for address in reached}
    return StackBound(
        root=root,
        bytes=total,
        path=tuple(graph.name(address) for address in path),
        indirect=tuple(sorted(names[a] for a in reached if graph.nodes[a].indirect)),
        recursive=tuple(sorted(names[a] for a in reached if a in graph.recursive)),
        unknown=tuple(sorted(names[a] for a in reached if graph.nodes[a].frame is None)),
    )


def _frame_sizes(files: Iterable[Path]) -> dict[str, int]:
    """Bytes per function name; the largest where several files have one of that name."""
    frames: dict[str, int] = {}
    for file in files:
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            match = _SU_LINE.match(line)
            if match:
                name = _CLONE.sub("", match.group(1))
                frames[name] = max(frames.get(name, 0), int(match.group(2)))
    return frames


class _Graph:
    """Call graph over function addresses."""

    def __init__(self, image: Image, frames: dict[str, int]) -> None:
        self._symbols = {symbol.address: symbol for symbol in image.functions()}
        self._frames = frames
        self._image = image
        self.nodes: dict[int, _Node] = {}
        self.recursive: set[int] = set()
        self._deepest: dict[int, tuple[int, tuple[int, ...]]] = {}

    def name(self, address: int) -> str:
        """Symbol at `address`."""
        symbol = self._symbols.get(address)
        return symbol.name if symbol else f"0x{address:08x}"

    def _node(self, address: int) -> _Node:
        if address not in self.nodes:
            symbol = self._symbols.get(address)
            if symbol is None:
                self.nodes[address] = _Node(None, (), False)
            else:
                calls, indirect, pushed = _scan(self._image, symbol, set(self._symbols))
                # Compilers give 0 for naked functions, whose pushes are in their assembly.
                frame = self._frames.get(_CLONE.sub("", symbol.name)) or pushed
                self.nodes[address] = _Node(frame, calls, indirect)
        return self.nodes[address]

    def deepest(self, root: int) -> tuple[int, tuple[int, ...]]:
        """Bytes and call path of the deepest stack from `root`; cycles are cut and noted in `recursive`."""
        active: list[int] = []

        def visit(address: int) -> tuple[int, tuple[int, ...]]:
            if address in self._deepest:
                return self._deepest[address]
            if address in active:
                self.recursive.update(active[active.index(address) :])
                return 0, ()
            node = self._node(address)
            active.append(address)
            below = max((visit(callee) for callee in node.callees), default=(0, ()))
            active.pop()
            self._deepest[address] = ((node.frame or 0) + below[0], (address, *below[1]))
            return self._deepest[address]

        return visit(root)

    def reached(self, root: int) -> list[int]:
        """All functions that can be called from `root`, itself first."""
        order = [root]
        for address in order:
            order += [callee for callee in self._node(address).callees if callee not in order]
        return order


def _scan(image: Image, symbol: Symbol, starts: set[int]) -> tuple[tuple[int, ...], bool, int | None]:
    """Direct callees, whether there are indirect calls, and the frame of plain push/sub code.

    The frame is only used where the compiler gives none (assembly, naked functions).
    """
    if image.riscv:
        return _scan_riscv(image, symbol, starts)
    calls: list[int] = []
    indirect = False
    pushed = 0
    for mnemonic, operands in _instructions(image, symbol):
        target = _target(operands)
        if mnemonic in ("bl", "blx") and target is not None:
            calls.append(target & ~1)
        elif mnemonic == "blx" or (mnemonic == "bx" and operands != "lr"):
            indirect = True
        elif target is not None and mnemonic[0] == "b" and not symbol.address <= target < symbol.end:
            if target & ~1 in starts:
                calls.append(target & ~1)
        elif mnemonic in ("push", "push.w"):
            pushed += 4 * _register_count(operands)
        elif mnemonic == "vpush" and operands.startswith("{d"):
            pushed += 8 * _register_count(operands)
        elif mnemonic in ("sub", "sub.w") and operands.startswith("sp, ") and "#" in operands:
            pushed += int(operands.rsplit("#", 1)[1], 0)
    return tuple(dict.fromkeys(calls)), indirect, pushed


def _scan_riscv(image: Image, symbol: Symbol, starts: set[int]) -> tuple[tuple[int, ...], bool, int | None]:
    """The same for RISC-V."""
    code = _bytes_at(image, symbol.address, symbol.end)
    found = list(jumps(code, symbol.address))
    targets = [j.target for j in found if j.target is not None and (j.links or j.target in starts - {symbol.address})]
    return tuple(dict.fromkeys(targets)), any(j.target is None for j in found), pushed(code)


def _register_count(operands: str) -> int:
    return operands.count(",") + 1


def _target(operands: str) -> int | None:
    last = operands.rsplit(" ", 1)[-1]
    return int(last[1:], 0) if last.startswith("#") and "," not in operands else None


def _instructions(image: Image, symbol: Symbol) -> Iterable[tuple[str, str]]:
    """(mnemonic, operands) of a function; literal pools are skipped."""
    engine = _capstone()
    for start, end in image.code_spans:
        low, high = max(start, symbol.address), min(end, symbol.end)
        if low >= high:
            continue
        for _, _, mnemonic, operands in engine.disasm_lite(_bytes_at(image, low, high), low):
            yield mnemonic, operands


@lru_cache(maxsize=1)
def _capstone():  # type: ignore[no-untyped-def]
    import capstone

    engine = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
    engine.skipdata = True
    engine.skipdata_setup = (".byte", _unknown_bytes, None)
    return engine


def _unknown_bytes(code: Any, _size: int, offset: int, _user: Any) -> int:
    """Bytes of an instruction that capstone does not know (Helium, low-overhead loops): a whole one, so that its second
    half is not taken for another."""
    return 4 if ord(code[offset + 1]) >> 3 >= 0x1D else 2


def _bytes_at(image: Image, low: int, high: int) -> bytes:
    for segment in image.segments:
        if segment.address <= low and high <= segment.address + len(segment.data):
            return segment.data[low - segment.address : high - segment.address]
    return b""
