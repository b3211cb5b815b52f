"""The C hooks of firmware/emulate/hooks.c: built once, kept in the user's cache, driven through ctypes."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import importlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyforge.errors import ToolMissing
from tinyforge.paths import cache_dir, firmware_dir
from tinyforge.toolchain.drivers import tool_version, zig_path
from tinyforge.toolchain.process import run_tool

INHERIT = 0xFFFF
_CAPACITY = 1 << 18
_MAX_VIOLATIONS = 64

BLOCK_DTYPE = np.dtype(
    [
        ("address", "<u4"),
        ("size", "<u4"),
        ("instructions", "<u4"),
        ("next", "<i4"),
        ("owner", "<u4"),
        ("unaligned", "<u4"),
        ("count", "<u8"),
        ("fell_through", "<u8"),
        ("fetch_misses", "<u8"),
        ("flash_read_bytes", "<u8"),
        ("sram_read_bytes", "<u8"),
        ("written_bytes", "<u8"),
        ("unaligned_accesses", "<u8"),
        ("split_accesses", "<u8"),
    ]
)


class _Region(ctypes.Structure):
    _fields_ = (
        ("begin", ctypes.c_uint32),
        ("end", ctypes.c_uint32),
        ("reads", ctypes.c_uint64),
        ("writes", ctypes.c_uint64),
        ("read_bytes", ctypes.c_uint64),
        ("written_bytes", ctypes.c_uint64),
    )


class _Violation(ctypes.Structure):
    _fields_ = (
        ("pc", ctypes.c_uint32),
        ("address", ctypes.c_uint32),
        ("size", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
    )


class _State(ctypes.Structure):
    _fields_ = (
        ("code_base", ctypes.c_uint32),
        ("code_bytes", ctypes.c_uint32),
        ("code", ctypes.c_void_p),
        ("owner", ctypes.c_void_p),
        ("first", ctypes.c_void_p),
        ("blocks", ctypes.c_void_p),
        ("capacity", ctypes.c_uint32),
        ("used", ctypes.c_uint32),
        ("previous", ctypes.c_int32),
        ("current", ctypes.c_uint32),
        ("instructions", ctypes.c_uint64),
        ("limit", ctypes.c_uint64),
        ("overflowed", ctypes.c_uint32),
        ("stopped", ctypes.c_uint32),
        ("regions", ctypes.POINTER(_Region)),
        ("region_count", ctypes.c_uint32),
        ("violation_capacity", ctypes.c_uint32),
        ("aligned_only", ctypes.c_uint32),
        ("flash_region", ctypes.c_uint32),
        ("violations", ctypes.POINTER(_Violation)),
        ("violation_count", ctypes.c_uint64),
        ("emu_stop", ctypes.c_void_p),
        ("reg_read", ctypes.c_void_p),
        ("reg_write", ctypes.c_void_p),
        ("lines", ctypes.c_void_p),
        ("line_count", ctypes.c_uint32),
        ("line_shift", ctypes.c_uint32),
        ("last_line", ctypes.c_uint32),
        ("padding", ctypes.c_uint32),
    )


@functools.cache
def _library() -> ctypes.CDLL:
    """The compiled hooks."""
    source = firmware_dir() / "emulate" / "hooks.c"
    key = hashlib.sha256(source.read_bytes() + tool_version(str(zig_path()), "version").encode())
    path = cache_dir() / "hooks" / f"{key.hexdigest()[:24]}.so"
    if not path.is_file():
        _build(source, path)
    library = ctypes.CDLL(str(path))
    library.tfh_state_bytes.restype = ctypes.c_uint32
    if library.tfh_state_bytes() != ctypes.sizeof(_State):
        raise ToolMissing(f"{path} does not belong to this tinyforge; delete it and try again")
    return library


def _build(source: Path, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        made = Path(folder) / path.name
        env = {"ZIG_GLOBAL_CACHE_DIR": str(cache_dir() / "zig"), "ZIG_LOCAL_CACHE_DIR": str(cache_dir() / "zig")}
        command: list[str | Path] = [
            zig_path(),
            "cc",
            "-shared",
            "-nostdlib",
            "-fPIC",
            "-O2",
            "-std=c11",
            "-g0",
            source,
            "-o",
            made,
        ]
        run_tool(command, "building the emulator's hooks", env=env)
        os.replace(made, path)


def unicorn_library() -> Any:
    """unicorn's shared library as ctypes sees it."""
    for name in ("unicorn.unicorn_py3.unicorn", "unicorn.unicorn"):
        try:
            return importlib.import_module(name).uclib
        except (ImportError, AttributeError):
            continue
    raise ToolMissing("this version of unicorn is laid out in an unknown way; install unicorn 2.1")


def unicorn_module() -> Any:
    """The unicorn package, untyped (its own annotations are incomplete)."""
    try:
        return importlib.import_module("unicorn")
    except ImportError as error:
        raise ToolMissing("the unicorn package is not installed; get it with: pip install unicorn") from error


def arm_registers() -> Any:
    """unicorn's Arm constants."""
    return importlib.import_module("unicorn.arm_const")


@dataclass(frozen=True, slots=True)
class RegionCount:
    """Accesses to one region so far."""

    name: str
    reads: int
    writes: int
    read_bytes: int
    written_bytes: int


@dataclass(frozen=True, slots=True)
class RawViolation:
    """An access outside all regions, or one whose alignment the core does not allow."""

    pc: int
    address: int
    size: int
    is_write: bool
    is_unaligned: bool


class Counter:
    """Counts executed blocks (and data accesses, once `watch` was called) of one emulator.

    owner: per halfword of `code` the operator number + 1, 0 for none, INHERIT for shared helpers.
    """

    def __init__(self, uc: Any, code_base: int, code: bytes, owner: NDArray[np.uint16]) -> None:
        unicorn = unicorn_module()
        self._library = _library()
        self._unicorn = unicorn_library()
        self._uc = uc
        self._code = ctypes.create_string_buffer(code, len(code) + 8)
        self._owner = np.ascontiguousarray(owner)
        self._first = np.full(len(code) // 2 + 1, -1, dtype=np.int32)
        self._blocks = np.zeros(_CAPACITY, dtype=BLOCK_DTYPE)
        self._violations = (_Violation * _MAX_VIOLATIONS)()
        self._regions = (_Region * 0)()
        self._names: tuple[str, ...] = ()
        self._lines = np.zeros(0, dtype=np.uint32)
        self._memory_hooked = False
        self.state = _State(
            code_base=code_base,
            code_bytes=len(code),
            code=ctypes.addressof(self._code),
            owner=self._owner.ctypes.data,
            first=self._first.ctypes.data,
            blocks=self._blocks.ctypes.data,
            capacity=_CAPACITY,
            previous=-1,
            violation_capacity=_MAX_VIOLATIONS,
            violations=self._violations,
            emu_stop=_pointer(self._unicorn.uc_emu_stop),
            reg_read=_pointer(self._unicorn.uc_reg_read),
            reg_write=_pointer(self._unicorn.uc_reg_write),
        )
        self._hook(unicorn.UC_HOOK_BLOCK, self._library.tfh_block)

    def _hook(self, kind: int, function: Any, begin: int = 1, end: int = 0) -> None:
        handle = ctypes.c_size_t()
        status = self._unicorn.uc_hook_add(
            self._uc._uch,
            ctypes.byref(handle),
            ctypes.c_int(kind),
            ctypes.cast(function, ctypes.c_void_p),
            ctypes.c_void_p(ctypes.addressof(self.state)),
            ctypes.c_uint64(begin),
            ctypes.c_uint64(end),
        )
        if status != 0:
            raise ToolMissing(f"unicorn refuses a hook (error {status}); install another version of it")

    def watch(self, regions: dict[str, tuple[int, int]], *, aligned_only: bool) -> None:
        """From now on count data accesses per region [begin, end), one of them named "flash", and per block; all others
        are violations.

        aligned_only: so is every unaligned access (Armv6-M); elsewhere only those of multiple, double and FPU
        transfers are.
        """
        unicorn = unicorn_module()
        self._names = tuple(regions)
        self._regions = (_Region * len(regions))(*(_Region(b, e) for b, e in regions.values()))
        self.state.flash_region = self._names.index("flash")
        self.state.regions = self._regions
        self.state.region_count = len(regions)
        self.state.aligned_only = int(aligned_only)
        if not self._memory_hooked:
            self._hook(unicorn.UC_HOOK_MEM_READ | unicorn.UC_HOOK_MEM_WRITE, self._library.tfh_memory)
            self._memory_hooked = True
            # Code translated before the hook was there would not call it.
            self._uc.ctl_flush_tb()

    def follow_fetches(self, line_bytes: int, cache_bytes: int) -> None:
        """From now on count the lines of code, of `line_bytes` (a power of two), that a directly mapped cache of
        `cache_bytes` (at least one line) does not hold and that are not behind the line before."""
        self._lines = np.zeros(max(1, cache_bytes // line_bytes), dtype=np.uint32)
        self.state.lines = self._lines.ctypes.data
        self.state.line_count = len(self._lines)
        self.state.line_shift = line_bytes.bit_length() - 1

    def guard(self, gaps: list[tuple[int, int]]) -> None:
        """From now on every data access inside one of `gaps` [begin, end) is a violation.

        Far cheaper than `watch`: unicorn calls no hook for other accesses. Alignment is not looked at.
        """
        unicorn = unicorn_module()
        self.state.region_count = 0
        for begin, end in gaps:
            kinds = unicorn.UC_HOOK_MEM_READ | unicorn.UC_HOOK_MEM_WRITE
            self._hook(kinds, self._library.tfh_memory, begin, end - 1)
        self._uc.ctl_flush_tb()

    def reset(self, limit: int = 0) -> None:
        """Start counting at zero; `limit`: stop the emulator after so many instructions, 0: never."""
        state = self.state
        state.used = state.instructions = state.overflowed = state.stopped = state.violation_count = 0
        state.current = 0
        state.previous = -1
        state.limit = limit
        self._first.fill(-1)

    def blocks(self) -> NDArray[Any]:
        """Records of all executed blocks (BLOCK_DTYPE), in order of first execution."""
        if self.state.overflowed:
            raise ToolMissing(f"more than {_CAPACITY:,} blocks were executed; counts would be wrong")
        used: NDArray[Any] = self._blocks[: self.state.used].copy()
        return used

    def regions(self) -> list[RegionCount]:
        """Counts per watched region."""
        return [
            RegionCount(name, r.reads, r.writes, r.read_bytes, r.written_bytes)
            for name, r in zip(self._names, self._regions, strict=True)
        ]

    def violations(self) -> list[RawViolation]:
        """The first violations."""
        kept = min(self.state.violation_count, _MAX_VIOLATIONS)
        return [
            RawViolation(v.pc & ~1, v.address, v.size, bool(v.flags & 1), bool(v.flags & 2))
            for v in self._violations[:kept]
        ]


def _pointer(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0
