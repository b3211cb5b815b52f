"""firmware/libc/rt.c on every core: memory functions, and the arithmetic that Armv6-M lacks."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from tinyforge.device.emulate.machine import Machine
from tinyforge.paths import firmware_dir
from tinyforge.target import load_board
from tinyforge.toolchain.compiler import CompileOptions
from tinyforge.toolchain.cross import cross_compiler
from tinyforge.toolchain.elf import load_image
from tinyforge.toolchain.glue import linker_script
from tinyforge.toolchain.objects import Source, compile_sources
from tinyforge.toolchain.process import run_tool

BOARDS = ("emulated_m0plus", "emulated_m3", "emulated_m4", "emulated_m7", "emulated_m33")

PROGRAM = """#include <stdint.h>
#include <string.h>
void Reset_Handler(void);
void arithmetic(void);
void bits(void);
void copy(uint32_t to, uint32_t from, uint32_t n);
void move(uint32_t to, uint32_t from, uint32_t n);
void fill(uint32_t to, uint32_t value, uint32_t n);
int64_t in[4];
int64_t out[16];
uint8_t memory[1024];
__attribute__((section(".vectors"), used)) const uint32_t vectors[16] = {1u};
void *volatile kept[5];
void Reset_Handler(void) {
  kept[0] = (void *)(uintptr_t)arithmetic;
  kept[1] = (void *)(uintptr_t)bits;
  kept[2] = (void *)(uintptr_t)copy;
  kept[3] = (void *)(uintptr_t)move;
  kept[4] = (void *)(uintptr_t)fill;
}
void arithmetic(void) {
  const int64_t a = in[0];
  const int64_t b = in[1];
  const int32_t c = (int32_t)a;
  const int32_t d = (int32_t)b;
  const uint32_t shift = (uint32_t)in[2] & 63u;
  out[0] = (int64_t)((uint64_t)a * (uint64_t)b);
  out[1] = a / b;
  out[2] = a % b;
  out[3] = (int64_t)((uint64_t)a / (uint64_t)b);
  out[4] = (int64_t)((uint64_t)a % (uint64_t)b);
  out[5] = c / d;
  out[6] = c % d;
  out[7] = (int64_t)((uint32_t)c / (uint32_t)d);
  out[8] = (int64_t)((uint32_t)c % (uint32_t)d);
  out[9] = (int64_t)((uint64_t)a << shift);
  out[10] = (int64_t)((uint64_t)a >> shift);
  out[11] = a >> shift;
  out[12] = (int64_t)c * d;
  out[13] = a < b ? -1 : a > b;
}
void bits(void) {
  const uint32_t x = (uint32_t)in[0];
  out[0] = x == 0u ? 32 : __builtin_clz(x);
  out[1] = x == 0u ? 32 : __builtin_ctz(x);
  out[2] = __builtin_popcount(x);
  out[3] = in[1] == 0 ? 64 : __builtin_clzll((uint64_t)in[1]);
}
void copy(uint32_t to, uint32_t from, uint32_t n) { memcpy(&memory[to], &memory[from], n); }
void move(uint32_t to, uint32_t from, uint32_t n) { memmove(&memory[to], &memory[from], n); }
void fill(uint32_t to, uint32_t value, uint32_t n) { memset(&memory[to], (int)value, n); }
"""


@pytest.fixture(scope="module", params=BOARDS)
def machine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    folder: Path = tmp_path_factory.mktemp("rt")
    board = load_board(request.param)
    compiler = cross_compiler(board)
    source = folder / "program.c"
    source.write_text(PROGRAM)
    options = CompileOptions()
    runtime = Source(firmware_dir() / "libc" / "rt.c", CompileOptions(extra=("-fno-builtin",)))
    objects = compile_sources(compiler, [Source(source, options), runtime])
    script = folder / "program.ld"
    script.write_text(linker_script(board, 1024))
    elf = folder / "program.elf"
    run_tool(compiler.link_command([item.path for item in objects], elf, script), "linking")
    return Machine(board, load_image(elf))


def run_out(machine: Machine, function: str, values: tuple[int, ...], count: int) -> list[int]:
    machine.write(machine.image.address("in"), struct.pack(f"<{len(values)}q", *values))
    machine.call(function)
    return list(struct.unpack(f"<{count}q", machine.read(machine.image.address("out"), 8 * count)))


def signed(value: int, bits: int = 64) -> int:
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def truncated(a: int, b: int) -> int:
    return abs(a) // abs(b) * (-1 if (a < 0) != (b < 0) else 1)


def expected(a: int, b: int, shift: int) -> list[int]:
    mask, c, d = (1 << 64) - 1, signed(a, 32), signed(b, 32)
    ua, ub, uc, ud = a & mask, b & mask, a & 0xFFFFFFFF, b & 0xFFFFFFFF
    return [
        signed(a * b),
        signed(truncated(a, b)),
        a - truncated(a, b) * b,
        signed(ua // ub),
        signed(ua % ub),
        truncated(c, d),
        c - truncated(c, d) * d,
        uc // ud,
        uc % ud,
        signed(a << shift),
        signed(ua >> shift),
        a >> shift,
        c * d,
        (a > b) - (a < b),
    ]


def test_arithmetic(machine: Machine) -> None:
    random = np.random.default_rng(3)
    edges = [1, -1, 2, 3, 7, 255, 256, 65535, 65536, 2**31 - 1, -(2**31) + 1, 2**32 + 1, 2**62, -(2**63) + 1, 2**63 - 1]
    pairs = [(a, b) for a in [0, *edges] for b in edges]
    pairs += [(int(a) >> int(s), int(b) >> int(t) | 1) for a, b, s, t in zip(
        random.integers(-(2**63), 2**63, 200), random.integers(-(2**63), 2**63, 200),
        random.integers(0, 60, 200), random.integers(0, 60, 200), strict=True)]  # fmt: skip
    for i, (a, b) in enumerate(pairs):
        if b & 0xFFFFFFFF in (0, 0xFFFFFFFF) or signed(a, 32) == -(2**31):
            continue
        assert run_out(machine, "arithmetic", (a, b, i % 64), 14) == expected(a, b, i % 64), (a, b, i % 64)


@pytest.mark.parametrize("value", [0, 1, 2, 3, 0x80000000, 0xFFFFFFFF, 0x00010000, 0x0000FFFF, 0x40, 0x12345678])
def test_bits(machine: Machine, value: int) -> None:
    ctz = 32 if value == 0 else (value & -value).bit_length() - 1
    got = run_out(machine, "bits", (value, value << 20), 4)
    wide = 64 - (value << 20).bit_length() if value << 20 < 2**63 else 0
    assert got == [32 - value.bit_length(), ctz, bin(value).count("1"), wide]


def test_memory_functions(machine: Machine) -> None:
    random = np.random.default_rng(4)
    memory = random.integers(0, 256, 1024).astype(np.uint8)
    base = machine.image.address("memory")
    machine.write(base, memory.tobytes())
    for _ in range(300):
        n = int(random.integers(0, 80))
        to, source = (int(v) for v in random.integers(0, 1024 - 80, 2))
        kind = ["copy", "move", "fill"][int(random.integers(0, 3))]
        if kind == "copy" and abs(to - source) < n:
            kind = "move"
        machine.call(kind, (to, source, n))
        memory[to : to + n] = source & 0xFF if kind == "fill" else memory[source : source + n].copy()
        assert machine.read(base, 1024) == memory.tobytes(), (kind, to, source, n)
