"""What a firmware engineer is promised about the generated C: no warning from any compiler, the header as C++17, no
state but the arena, two models in one image that can share an arena, nothing for cppcheck to say."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from elftools.elf.elffile import ELFFile

from tests.c_host import STRICT
from tests.tiny_models import TINY, built, pattern
from tinyforge.errors import ToolMissing
from tinyforge.interp.run_graph import run_graph
from tinyforge.paths import firmware_dir
from tinyforge.target import load_board
from tinyforge.toolchain.compiler import CompileOptions, Compiler
from tinyforge.toolchain.cross import TOOLCHAINS, cross_compiler
from tinyforge.toolchain.drivers import zig_path
from tinyforge.toolchain.native import native_compiler

BOARDS = ("emulated_m0plus", "emulated_m4", "emulated_m7", "emulated_m33")
SYSTEM_HEADERS = {"stdint.h", "stddef.h", "string.h", "arm_acle.h", "arm_mve.h", "math.h"}


def write(name: str, folder: Path) -> list[Path]:
    """The model's files; its C sources."""
    for file, text in built(name).tree.files.items():
        (folder / file).write_text(text, encoding="utf-8")
    return [folder / f"tiny_{name}.c", folder / f"tiny_{name}_weights.c"]


def compiler_or_skip(make: Callable[[], Compiler]) -> Compiler:
    try:
        return make()
    except ToolMissing as error:
        pytest.skip(str(error))


def compile_all(compiler: Compiler, sources: list[Path], folder: Path, optimize: str, *defines: str) -> list[Path]:
    """Objects; every warning is an error."""
    objects = []
    for source in sources:
        output = folder / f"{source.stem}.{len(defines)}.o"
        options = CompileOptions(optimize=optimize, defines=defines, includes=(source.parent,))
        done = subprocess.run(compiler.object_command(source, output, options), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[:3000]
        assert not done.stderr.strip(), done.stderr[:3000]
        objects.append(output)
    return objects


@pytest.mark.parametrize("compiler", ["gcc", "clang", "zig"])
@pytest.mark.parametrize("name", TINY)
def test_native_compilers_have_nothing_to_say(name: str, compiler: str, tmp_path: Path) -> None:
    found = compiler_or_skip(lambda: native_compiler(compiler))
    sources = write(name, tmp_path)
    compile_all(found, sources, tmp_path, "O2")
    compile_all(found, sources[:1], tmp_path, "O1", "TINYFORGE_TRACE", "TF_FORCE_DSP")


@pytest.mark.parametrize("toolchain", TOOLCHAINS)
@pytest.mark.parametrize("board", BOARDS)
def test_cross_compilers_have_nothing_to_say(board: str, toolchain: str, tmp_path: Path) -> None:
    found = compiler_or_skip(lambda: cross_compiler(load_board(board), toolchain))
    for name in TINY:
        compile_all(found, write(name, tmp_path), tmp_path, "Os" if name == "rows" else "O2")


@pytest.mark.parametrize("compiler", ["g++", "zig"])
def test_headers_are_cpp17(compiler: str, tmp_path: Path) -> None:
    if compiler != "zig" and shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    for name in TINY:
        write(name, tmp_path)
    body = "".join(f'#include "tiny_{name}.h"\n' for name in TINY)
    body += "int main() { const int8_t *out = tiny_classifier_output(); tiny_classifier_invoke(); return *out; }\n"
    (tmp_path / "main.cpp").write_text(body)
    driver = [compiler]
    if compiler == "zig":
        headers = zig_path().parent / "lib" / "include"
        driver = [str(zig_path()), "clang", "--target=thumbv7em-none-eabi", "-nostdinc", "-isystem", str(headers)]
    flags = ["-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-Wold-style-cast", "-Wconversion"]
    command = [*driver, *flags, "-fsyntax-only", "main.cpp"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[:3000]


@pytest.mark.parametrize("name", TINY)
def test_no_library_and_no_state_but_the_arena(name: str, tmp_path: Path) -> None:
    for file, text in built(name).tree.files.items():
        includes = set(re.findall(r"#include <([^>]+)>", text))
        assert includes <= SYSTEM_HEADERS, f"{file} includes {includes - SYSTEM_HEADERS}"
    compiler = compiler_or_skip(lambda: native_compiler("auto"))
    if compiler.name == "zig":
        pytest.skip("needs a system compiler")
    objects = compile_all(compiler, write(name, tmp_path), tmp_path, "O2")
    writable = [symbol for path in objects for symbol in writable_symbols(path)]
    assert writable == [f"tiny_{name}_arena"]


def writable_symbols(path: Path) -> list[str]:
    """Objects of an object file that lie in RAM."""
    with path.open("rb") as stream:
        elf = ELFFile(stream)
        found = []
        for symbol in elf.get_section_by_name(".symtab").iter_symbols():
            section = symbol["st_shndx"]
            if symbol["st_info"]["type"] != "STT_OBJECT" or not isinstance(section, int):
                continue
            if elf.get_section(section)["sh_flags"] & 1:
                found.append(symbol.name)
    return found


MAIN = """
#include "tiny_classifier.h"
#include "tiny_movements.h"
#include <stdio.h>
#include <string.h>
#ifdef SHARED
_Alignas(16) uint8_t shared_arena[TINY_CLASSIFIER_ARENA_BYTES > TINY_MOVEMENTS_ARENA_BYTES ?
                                  TINY_CLASSIFIER_ARENA_BYTES : TINY_MOVEMENTS_ARENA_BYTES];
#endif
int main(void)
{
    static int8_t image[TINY_CLASSIFIER_INPUT_BYTES];
    static int8_t x[TINY_MOVEMENTS_INPUT_BYTES];
    if (fread(image, 1, sizeof image, stdin) != sizeof image || fread(x, 1, sizeof x, stdin) != sizeof x) {
        return 1;
    }
    for (int turn = 0; turn < 2; ++turn) {
        memcpy(tiny_classifier_input(), image, sizeof image);
        tiny_classifier_invoke();
        fwrite(tiny_classifier_output(), 1, TINY_CLASSIFIER_OUTPUT_BYTES, stdout);
        memcpy(tiny_movements_input(), x, sizeof x);
        tiny_movements_invoke();
        fwrite(tiny_movements_output_1(), 1, TINY_MOVEMENTS_OUTPUT_1_BYTES, stdout);
    }
    return 0;
}
"""


@pytest.mark.parametrize("shared", [False, True])
def test_two_models_in_one_image(shared: bool, tmp_path: Path) -> None:
    compiler = next((c for c in ("gcc", "clang", "cc") if shutil.which(c)), None)
    if compiler is None:
        pytest.skip("needs a system compiler")
    sources = [*write("classifier", tmp_path), *write("movements", tmp_path)]
    (tmp_path / "main.c").write_text(MAIN)
    defines = ["-DSHARED"] if shared else []
    for name in ("TINY_CLASSIFIER", "TINY_MOVEMENTS"):
        defines += [f"-D{name}_ARENA=shared_arena", f"-D{name}_EXTERNAL_ARENA"] if shared else []
    command = [compiler, *STRICT, "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", *defines]
    names = [s.name for s in sources]
    done = subprocess.run([*command, "-o", "both", *names, "main.c"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[:3000]
    first, second = built("classifier").graph, built("movements").graph
    image, x = pattern(first.tensors["image"].shape), pattern(second.tensors["x"].shape)
    ran = subprocess.run([tmp_path / "both"], input=image.tobytes() + x.tobytes(), capture_output=True)
    assert ran.returncode == 0, ran.stderr[:2000]
    answer = run_graph(first, {"image": image})[first.outputs[0]].tobytes()
    moved = np.ascontiguousarray(run_graph(second, {"x": x})[second.outputs[1]]).tobytes()
    assert ran.stdout == (answer + moved) * 2


CPPCHECK = ["cppcheck", "--std=c11", "--quiet", "--error-exitcode=3", "--inline-suppr", "--max-configs=1"]
CHECKS = ["--enable=warning,style,performance,portability", "--suppress=missingIncludeSystem"]
# The project relies on arithmetic right shifts, as every compiler it supports has them.
ACCEPTED = ["--suppress=shiftTooManyBitsSigned"]
# Registers of a peripheral are declared whether used or not; switches of a build are constant in that build.
ACCEPTED_IN_FIRMWARE = ["unusedStructMember", "constParameter", "badBitmaskCheck", "knownConditionTrueFalse"]
ACCEPTED_IN_FIRMWARE += ["arrayIndexThenCheck"]  # the index is right: the end of a text is looked for first


def run_cppcheck(arguments: list[str], folder: Path) -> None:
    if shutil.which("cppcheck") is None:
        pytest.skip("cppcheck is not installed")
    done = subprocess.run([*CPPCHECK, *CHECKS, *ACCEPTED, *arguments], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, (done.stdout + done.stderr)[:3000]


@pytest.mark.parametrize("defines", [(), ("-DTF_FORCE_DSP=1",), ("-D__ARM_FEATURE_UNALIGNED=1", "-DTINYFORGE_TRACE=1")])
@pytest.mark.parametrize("name", TINY)
def test_cppcheck_of_generated_c(name: str, defines: tuple[str, ...], tmp_path: Path) -> None:
    sources = write(name, tmp_path)
    run_cppcheck([*defines, "-I.", sources[0].name], tmp_path)


def test_cppcheck_of_the_firmware() -> None:
    root = firmware_dir()
    sources = sorted(str(p.relative_to(root)) for p in root.rglob("*.c"))
    suppressed = [f"--suppress={name}" for name in ACCEPTED_IN_FIRMWARE]
    run_cppcheck([*suppressed, "-Iinclude", "-Ikernels", "-Ilibc", *sources], root)
