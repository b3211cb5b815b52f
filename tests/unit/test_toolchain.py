"""Compilers, cache, ELF reading, stack bounds, doctor."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from tests.toy_build import ARENA_BYTES, write_toy_build
from tinyforge.errors import DoesNotFit, ToolMissing, UsageError
from tinyforge.target import load_board
from tinyforge.toolchain.compiler import CompileOptions
from tinyforge.toolchain.cross import cross_compiler
from tinyforge.toolchain.doctor import find_tools
from tinyforge.toolchain.elf import load_image, object_sizes
from tinyforge.toolchain.firmware import build_firmware
from tinyforge.toolchain.glue import linker_script
from tinyforge.toolchain.objects import Source, compile_sources, prune_cache, source_key
from tinyforge.toolchain.process import run_program
from tinyforge.toolchain.stack import stack_bound

needs_gcc = pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="no arm-none-eabi-gcc")
TOOLCHAINS = ["zig", pytest.param("gcc", marks=needs_gcc)]
FEATURES = """#include <stdint.h>
#if {condition}
uint32_t ok(void);
uint32_t ok(void) {{ return 1u; }}
#else
#error "wrong target"
#endif
"""


@pytest.mark.parametrize("toolchain", TOOLCHAINS)
@pytest.mark.parametrize(
    "board, condition",
    [
        ("emulated_m0plus", "__ARM_ARCH == 6 && !defined(__ARM_FEATURE_DSP) && !defined(__ARM_FP)"),
        ("emulated_m3", "__ARM_ARCH == 7 && !defined(__ARM_FEATURE_DSP) && !defined(__ARM_FP)"),
        ("emulated_m4", "__ARM_ARCH == 7 && defined(__ARM_FEATURE_DSP) && __ARM_FP != 0 && (__ARM_FP & 8) == 0"),
        ("emulated_m7", "__ARM_ARCH == 7 && defined(__ARM_FEATURE_DSP) && __ARM_FP != 0 && (__ARM_FP & 8) == 0"),
        ("emulated_m33", "__ARM_ARCH == 8 && defined(__ARM_FEATURE_DSP) && __ARM_FP != 0"),
        ("qemu_rv32_virt", "__riscv_xlen == 32 && defined(__riscv_mul) && !defined(__riscv_flen)"),
        ("mps3_an547", "__ARM_ARCH == 8 && __ARM_FEATURE_MVE == 3 && defined(__ARM_FEATURE_DSP) && __ARM_FP != 0"),
    ],
)
def test_targets_have_their_features(tmp_path: Path, board: str, condition: str, toolchain: str) -> None:
    """Compilers silently drop FPU flags they do not like: the predefined macros tell."""
    source = tmp_path / "features.c"
    source.write_text(FEATURES.format(condition=condition))
    target = load_board(board)
    if target.core.is_riscv and toolchain == "gcc" and shutil.which("riscv64-unknown-elf-gcc") is None:
        pytest.skip("no riscv64-unknown-elf-gcc")
    compile_sources(cross_compiler(target, toolchain), [Source(source, CompileOptions())])


def test_warnings_are_errors(tmp_path: Path) -> None:
    source = tmp_path / "narrow.c"
    source.write_text("signed char f(int x);\nsigned char f(int x) { return x; }\n")
    with pytest.raises(ToolMissing, match=r"narrow\.c does not compile(.|\n)*conver"):
        compile_sources(cross_compiler(load_board("emulated_m4")), [Source(source, CompileOptions())])


def test_cache_key_follows_headers_flags_and_content(tmp_path: Path) -> None:
    compiler = cross_compiler(load_board("emulated_m4"))
    source = tmp_path / "a.c"
    source.write_text('#include "a.h"\nint a;\n')
    (tmp_path / "a.h").write_text('#include "b.h"\n')
    (tmp_path / "b.h").write_text("extern int a;\n")
    keys = {source_key(compiler, Source(source, CompileOptions()))}
    keys.add(source_key(compiler, Source(source, CompileOptions("O3"))))
    keys.add(source_key(compiler, Source(source, CompileOptions(defines=("X",)))))
    (tmp_path / "b.h").write_text("extern int a; /* changed */\n")
    keys.add(source_key(compiler, Source(source, CompileOptions())))
    keys.add(source_key(cross_compiler(load_board("emulated_m7")), Source(source, CompileOptions())))
    assert len(keys) == 5


def test_the_same_source_elsewhere_has_the_same_key(tmp_path: Path) -> None:
    compiler = cross_compiler(load_board("emulated_m4"))
    keys = set()
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "a.c").write_text('#include "a.h"\n')
        (folder / "a.h").write_text("extern int a;\n")
        keys.add(source_key(compiler, Source(folder / "a.c", CompileOptions(includes=(folder,)))))
    assert len(keys) == 1


def test_prune_keeps_the_newest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINYFORGE_CACHE", str(tmp_path))
    for name in ("old", "new"):
        (tmp_path / "objects" / name).mkdir(parents=True)
        (tmp_path / "objects" / name / "x.o").write_bytes(bytes(100))
    import os

    os.utime(tmp_path / "objects" / "old", (1, 1))
    assert prune_cache(150) == 1
    assert [path.name for path in (tmp_path / "objects").iterdir()] == ["new"]


@pytest.mark.parametrize("toolchain", TOOLCHAINS)
def test_builds_are_repeatable(tmp_path: Path, toolchain: str, monkeypatch: pytest.MonkeyPatch) -> None:
    images = []
    for name in ("one", "two"):
        monkeypatch.setenv("TINYFORGE_CACHE", str(tmp_path / f"cache-{name}"))
        build = write_toy_build(tmp_path / name)
        firmware = build_firmware(build, load_board("emulated_m7"), toolchain)
        images.append(firmware.image().segments)
    assert images[0] == images[1]


@pytest.mark.parametrize("toolchain", TOOLCHAINS)
def test_sizes(tmp_path: Path, toolchain: str) -> None:
    firmware = build_firmware(write_toy_build(tmp_path / "toy"), load_board("emulated_m4"), toolchain)
    image = firmware.image()
    assert firmware.arena_linked_bytes == ARENA_BYTES
    assert firmware.model_constant_bytes == 512
    assert 50 < firmware.model_code_bytes < 4000
    assert firmware.firmware_ram_bytes < 1024
    assert firmware.flash_bytes == sum(len(s.data) for s in image.segments) < 12_000
    assert image.where(image.address("toy_invoke") + 2) == f"0x{image.address('toy_invoke') + 2:08x} (toy_invoke+0x2)"
    assert image.function_at(0x10) is None


CALLS = """int depth(int n);
int deep(int n);
int leaf(int n);
int by_pointer(int (*f)(int));
__attribute__((noinline)) int leaf(int n) { volatile char room[200]; room[n & 63] = 1; return room[0]; }
__attribute__((noinline)) int deep(int n) { volatile char room[100]; room[n & 63] = 2; return leaf(n) + room[1]; }
__attribute__((noinline)) int depth(int n) { return n > 0 ? 1 + 2 * depth(n - 1) * deep(n) : 0; }
__attribute__((noinline)) int by_pointer(int (*f)(int)) { return 1 + f(3); }
void Reset_Handler(void);
void Reset_Handler(void) {
  volatile int sum = deep(1) + depth(2) + by_pointer(leaf);
  (void)sum;
}
"""


@pytest.mark.parametrize("toolchain", TOOLCHAINS)
def test_stack_bound(tmp_path: Path, toolchain: str) -> None:
    board = load_board("emulated_m4")
    compiler = cross_compiler(board, toolchain)
    source = tmp_path / "calls.c"
    source.write_text(CALLS)
    objects = compile_sources(compiler, [Source(source, CompileOptions())])
    script = tmp_path / "calls.ld"
    script.write_text(linker_script(board, 1024))
    elf = tmp_path / "calls.elf"
    done = run_program(compiler.link_command([objects[0].path], elf, script), 60)
    assert done.code == 0, done.message
    image = load_image(elf)
    plain = stack_bound(image, objects, "deep")
    assert 300 <= plain.bytes < 400
    assert plain.path == ("deep", "leaf")
    assert plain.proven
    assert stack_bound(image, objects, "depth").recursive == ("depth",)
    assert stack_bound(image, objects, "by_pointer").indirect == ("by_pointer",)
    assert not stack_bound(image, objects, "Reset_Handler").proven
    assert object_sizes(objects[0].path).code > 50


def test_an_image_that_does_not_fit(tmp_path: Path) -> None:
    build = write_toy_build(tmp_path / "toy")
    with pytest.raises(DoesNotFit, match="does not fit emulated_m4"):
        build_firmware(build, load_board("emulated_m4").with_limits(flash=2048))


def test_programs_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(ToolMissing, match="was not found"):
        run_program([tmp_path / "nothing"], 5)
    with pytest.raises(ToolMissing, match="did not end within"):
        run_program([sys.executable, "-c", "import time; time.sleep(9)"], 0.2)
    with pytest.raises(ToolMissing, match="is no firmware image"):
        load_image(Path(__file__))
    with pytest.raises(UsageError, match="choose one of: zig, gcc"):
        cross_compiler(load_board("emulated_m4"), "iar")


def test_doctor_lists_everything() -> None:
    tools = {tool.name: tool for tool in find_tools()}
    assert tools["ziglang"].found
    assert tools["ziglang"].needed
    assert not tools["qemu-system-arm"].needed
    assert tools["qemu-system-arm"].found == (shutil.which("qemu-system-arm") is not None)
    assert all(tool.used_for and tool.how_to_get for tool in tools.values())
