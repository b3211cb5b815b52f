"""What is installed, what it is used for, and how to get the rest."""

from __future__ import annotations

import importlib.metadata
import shutil
from collections.abc import Callable
from dataclasses import dataclass

from tinyforge.errors import TinyforgeError
from tinyforge.toolchain.drivers import tool_version, zig_path


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool. version and path are empty where it was not found; `needed`: tinyforge does not work without it."""

    name: str
    version: str
    path: str
    needed: bool
    used_for: str
    how_to_get: str

    @property
    def found(self) -> bool:
        """Whether it can be used."""
        return bool(self.version)


@dataclass(frozen=True, slots=True)
class _Package:
    name: str
    needed: bool
    used_for: str
    extra: str = ""

    def look(self) -> Tool:
        try:
            distribution = importlib.metadata.distribution(self.name)
            version, path = distribution.version, str(distribution.locate_file(""))
        except importlib.metadata.PackageNotFoundError:
            version = path = ""
        get = f"pip install 'tinyforge[{self.extra}]'" if self.extra else f"pip install {self.name}"
        return Tool(self.name, version, path, self.needed, self.used_for, get)


@dataclass(frozen=True, slots=True)
class _Program:
    name: str
    used_for: str
    package: str
    arguments: tuple[str, ...] = ("--version",)

    def look(self) -> Tool:
        path = shutil.which(self.name) or ""
        version = ""
        if path:
            try:
                version = tool_version(path, *self.arguments)
            except TinyforgeError:
                path = ""
        return Tool(self.name, version, path, False, self.used_for, f"apt install {self.package}")


_PACKAGES = (
    _Package("ziglang", True, "cross compiler (clang and LLD) for all boards, and for the host without another"),
    _Package("unicorn", True, "instruction-set emulator: run --on emulator, emulated boards"),
    _Package("capstone", True, "disassembly: stack bounds, cycle estimates"),
    _Package("pyelftools", True, "sizes and symbols of linked firmware"),
    _Package("pyserial", True, "serial port of boards"),
    _Package("ai-edge-litert", True, "reading .tflite, TensorFlow Lite's reference kernels"),
    _Package("numpy", True, "everything"),
    _Package("ortools", False, "exact memory planning of large models", "exact"),
    _Package("pyocd", False, "flashing through debug probes: --method pyocd", "flash"),
    _Package("stm32loader", False, "flashing STM32 over a serial port: --method stm32loader", "flash"),
    _Package("esptool", False, "flashing Espressif boards: --method esptool", "flash"),
    _Package("tensorflow-cpu", False, "search: training", "search"),
    _Package("optuna", False, "search: which candidates are judged", "search"),
    _Package("ray", False, "search --ray: candidates judged on a cluster", "ray"),
    _Package("psycopg", False, "search --storage postgresql://...: several machines", "postgres"),
)
_PROGRAMS = (
    _Program("arm-none-eabi-gcc", "second cross compiler: --toolchain gcc", "gcc-arm-none-eabi"),
    _Program("riscv64-unknown-elf-gcc", "second compiler for RISC-V boards", "gcc-riscv64-unknown-elf"),
    _Program("qemu-system-riscv32", "emulator of board qemu_rv32_virt", "qemu-system-misc"),
    _Program("qemu-system-arm", "second emulator: --emulator qemu, boards mps2_* and stm32f405", "qemu-system-arm"),
    _Program("gcc", "native builds with address and undefined-behaviour sanitizers", "gcc"),
    _Program("clang", "native builds with address and undefined-behaviour sanitizers", "clang"),
    _Program("openocd", "flashing through debug probes: --method openocd", "openocd"),
    _Program("gdb-multiarch", "flashing through a GDB server: --method gdb", "gdb-multiarch"),
    _Program("cppcheck", "static analysis of generated C in the tests", "cppcheck"),
    _Program("clang-format", "format check of the hand-written C", "clang-format"),
)


def find_tools() -> tuple[Tool, ...]:
    """All tools, needed ones first."""
    looks: list[Callable[[], Tool]] = [item.look for item in (*_PACKAGES, *_PROGRAMS)]
    tools = [look() for look in looks]
    return tuple(sorted(tools, key=lambda tool: not tool.needed))


def compiler_works() -> str:
    """Empty where the bundled cross compiler starts, else what is wrong with it."""
    try:
        tool_version(str(zig_path()), "clang", "--version")
    except TinyforgeError as error:
        return str(error)
    return ""
