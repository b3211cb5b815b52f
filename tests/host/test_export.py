"""Packages for other build systems, held against the real tool where it can be had, else against published rules."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
import zipfile
from pathlib import Path

import pytest

import tinyforge
from tests.cli.runner import tinyforge_command
from tests.shared import DIGITS
from tests.toy_build import write_toy_build
from tinyforge.errors import UsageError
from tinyforge.exporting.layouts import LAYOUTS
from tinyforge.exporting.package import package_files, write_package

needs_cmake = pytest.mark.skipif(shutil.which("cmake") is None, reason="cmake is not installed")


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The digit classifier with a whole and with a row-fed input."""
    folder = tmp_path_factory.mktemp("export")
    return {
        mode: tinyforge.compile(
            DIGITS, board="emulated_m4", input_mode=mode, name=f"digits_{mode}", out=folder / mode
        ).out
        for mode in ("whole", "rows")
    }


def run(*command: str | Path) -> str:
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def toy(folder: Path) -> Path:
    """A build with everything an export reads."""
    build = write_toy_build(folder / "toy")
    (build / "LICENSE").write_text("Apache-2.0\n")
    return build


@pytest.mark.parametrize("mode", ["whole", "rows"])
@needs_cmake
def test_cmake_builds_and_runs(builds: dict[str, Path], mode: str, tmp_path: Path) -> None:
    package = write_package(builds[mode], "cmake", tmp_path / "package")
    run("cmake", "-S", package, "-B", tmp_path / "host", "-DCMAKE_C_FLAGS=-Wall -Wextra -Werror")
    run("cmake", "--build", tmp_path / "host")
    out = run(tmp_path / "host" / f"digits_{mode}_example")
    assert re.fullmatch(rf"digits_{mode}: largest output at \d of 10\n", out)


@needs_cmake
@pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="no arm-none-eabi-gcc")
def test_cmake_cross_compiles(builds: dict[str, Path], tmp_path: Path) -> None:
    package = write_package(builds["whole"], "cmake", tmp_path / "package")
    toolchain = package / "cmake" / "arm-none-eabi.cmake"
    run("cmake", "-S", package, "-B", tmp_path / "arm", f"-DCMAKE_TOOLCHAIN_FILE={toolchain}")
    run("cmake", "--build", tmp_path / "arm")
    listing = run("arm-none-eabi-nm", tmp_path / "arm" / "libdigits_whole.a")
    assert " T digits_whole_invoke" in listing


IDF_STUB = """
cmake_minimum_required(VERSION 3.16)
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_C_COMPILER riscv64-unknown-elf-gcc)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
project(stub C)
set(CMAKE_C_FLAGS "-march=rv32imc -mabi=ilp32 -ffreestanding -isystem ${LIBC}")
set(COMPONENT_LIB component)
function(idf_component_register)
  cmake_parse_arguments(A "" "" "SRCS;INCLUDE_DIRS;REQUIRES" ${ARGN})
  add_library(${COMPONENT_LIB} STATIC ${A_SRCS})
  target_include_directories(${COMPONENT_LIB} PUBLIC ${A_INCLUDE_DIRS})
endfunction()
add_subdirectory(${PACKAGE} package)
"""


@needs_cmake
@pytest.mark.skipif(shutil.which("riscv64-unknown-elf-gcc") is None, reason="no riscv64-unknown-elf-gcc")
def test_esp_idf_component_compiles_for_rv32imc(builds: dict[str, Path], tmp_path: Path) -> None:
    from tinyforge.paths import firmware_dir

    package = write_package(builds["rows"], "esp-idf", tmp_path / "package")
    (tmp_path / "CMakeLists.txt").write_text(IDF_STUB)
    libc = firmware_dir() / "libc"
    run("cmake", "-S", tmp_path, "-B", tmp_path / "b", f"-DPACKAGE={package}", f"-DLIBC={libc}")
    run("cmake", "--build", tmp_path / "b")
    manifest = (package / "idf_component.yml").read_text()
    assert re.search(r'^version: "1\.0\.0"$', manifest, re.MULTILINE)
    example = (package / "examples" / "basic" / "main" / "main.c").read_text()
    assert "void app_main(void)" in example
    assert "return 0" not in example


ZEPHYR_STUB = """
cmake_minimum_required(VERSION 3.16)
project(stub C)
macro(zephyr_library)
  add_library(library STATIC)
endmacro()
function(zephyr_library_sources)
  target_sources(library PRIVATE ${ARGN})
endfunction()
function(zephyr_library_compile_options)
  target_compile_options(library PRIVATE ${ARGN})
endfunction()
function(zephyr_include_directories)
  target_include_directories(library PUBLIC ${ARGN})
endfunction()
set(CONFIG_DIGITS_WHOLE y)
add_subdirectory(${PACKAGE} package)
"""


@needs_cmake
def test_zephyr_module(builds: dict[str, Path], tmp_path: Path) -> None:
    package = write_package(builds["whole"], "zephyr", tmp_path / "package")
    (tmp_path / "CMakeLists.txt").write_text(ZEPHYR_STUB)
    run("cmake", "-S", tmp_path, "-B", tmp_path / "b", f"-DPACKAGE={package}")
    run("cmake", "--build", tmp_path / "b")
    module = (package / "zephyr" / "module.yml").read_text()
    assert "build:\n  cmake: .\n  kconfig: Kconfig\n" in module
    assert (package / "Kconfig").read_text().startswith("config DIGITS_WHOLE\n\tbool ")
    assert "CONFIG_DIGITS_WHOLE=y" in (package / "samples" / "digits_whole" / "prj.conf").read_text()


ARDUINO_REQUIRED = (
    "name",
    "version",
    "author",
    "maintainer",
    "sentence",
    "paragraph",
    "category",
    "url",
    "architectures",
)
ARDUINO_CATEGORIES = ("Display", "Communication", "Signal Input/Output", "Sensors", "Device Control", "Timing")
ARDUINO_CATEGORIES += ("Data Storage", "Data Processing", "Other")


@pytest.mark.parametrize("mode", ["whole", "rows"])
def test_arduino_library_keeps_the_specification(builds: dict[str, Path], mode: str, tmp_path: Path) -> None:
    """Arduino library specification 1.5: required fields, name, flat src, a sketch named like its folder."""
    package = write_package(builds[mode], "arduino", tmp_path / "package")
    fields = dict(line.split("=", 1) for line in (package / "library.properties").read_text().splitlines())
    assert all(fields.get(name) for name in ARDUINO_REQUIRED)
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 _.\-]{0,62}", fields["name"])
    assert fields["category"] in ARDUINO_CATEGORIES
    assert (package / "src" / fields["includes"]).is_file()
    assert not [p for p in (package / "src").iterdir() if p.is_dir()]
    (sketch,) = (package / "examples").glob("*/*.ino")
    assert sketch.stem == sketch.parent.name
    _compile_sketch(package, sketch, tmp_path)


def _compile_sketch(package: Path, sketch: Path, folder: Path) -> None:
    """The sketch as the IDE would compile it: C++ with the core's declarations in front."""
    if shutil.which("g++") is None:
        return
    core = "#include <cstdint>\n#include <cstring>\nunsigned long micros(); void delay(unsigned long);\n"
    core += "struct Port { void begin(long); void print(const char *); void print(unsigned); "
    core += "void println(unsigned long); };\n"
    source = folder / "sketch.cpp"
    source.write_text(core + "extern Port Serial;\n" + sketch.read_text())
    run("g++", "-std=gnu++17", "-Wall", "-Werror", "-fsyntax-only", "-I", package / "src", source)


def test_platformio_manifest(builds: dict[str, Path], tmp_path: Path) -> None:
    package = write_package(builds["whole"], "platformio", tmp_path / "package", "2.0.1")
    manifest = json.loads((package / "library.json").read_text())
    assert (manifest["name"], manifest["version"]) == ("digits_whole", "2.0.1")
    assert (package / manifest["build"]["includeDir"] / manifest["headers"][0]).is_file()
    pio = shutil.which("pio")
    if pio is None:
        pytest.skip("checked by its fields only: no pio here to pack it")
    run(pio, "pkg", "pack", package, "-o", tmp_path / "out.tar.gz")
    assert (tmp_path / "out.tar.gz").stat().st_size > 10_000


def test_cmsis_pack_names_what_it_holds(builds: dict[str, Path], tmp_path: Path) -> None:
    package = write_package(builds["whole"], "cmsis-pack", tmp_path / "tinyforge.digits_whole.1.0.0.pack")
    with zipfile.ZipFile(package) as archive:
        names = set(archive.namelist())
        root = ElementTree.fromstring(archive.read("tinyforge.digits_whole.pdsc"))
    assert [root.findtext(tag) for tag in ("vendor", "name", "license")] == ["tinyforge", "digits_whole", "LICENSE"]
    release = root.find("releases/release")
    assert release is not None
    assert release.get("version") == "1.0.0"
    conditions = {c.get("id") for c in root.iterfind("conditions/condition")}
    for component in root.iterfind("components/component"):
        assert component.get("condition") in conditions
        listed = [f.get("name") or "" for f in component.iterfind("files/file")]
        assert all(any(n.startswith(name) if name.endswith("/") else n == name for n in names) for name in listed)
        assert {n for n in names if n.startswith("src/")} <= set(listed)


@pytest.mark.parametrize("kind", LAYOUTS)
def test_same_build_same_bytes(kind: str, tmp_path: Path) -> None:
    build = toy(tmp_path)
    first, second = (write_package(build, kind, tmp_path / f"p{i}") for i in range(2))
    if LAYOUTS[kind].archive:
        assert first.read_bytes() == second.read_bytes()
    else:
        assert package_files(build, kind) == package_files(build, kind)
        write_package(build, kind, first)  # an earlier export may be replaced
    assert str(tmp_path) not in str(package_files(build, kind))


def test_nothing_of_the_user_is_overwritten(tmp_path: Path) -> None:
    build = toy(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "main.c").write_text("int main(void);")
    with pytest.raises(UsageError, match="no earlier export"):
        write_package(build, "cmake", tmp_path / "mine")
    assert (tmp_path / "mine" / "main.c").read_text() == "int main(void);"
    with pytest.raises(UsageError, match=r"form 1\.2\.3"):
        write_package(build, "cmake", tmp_path / "other", "v1")
    with pytest.raises(UsageError, match="choose one of: zip, cmake"):
        write_package(build, "keil", tmp_path / "other")


def test_command(tmp_path: Path) -> None:
    done = tinyforge_command("export", toy(tmp_path), "--format", "zip", "--json")
    assert done.code == 0
    assert Path(done.json["path"]).name == "toy.zip"
    assert tinyforge_command("export", tmp_path, "--format", "zip").code == 2
