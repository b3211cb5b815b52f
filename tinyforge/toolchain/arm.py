"""Cross compilers for Cortex-M: the clang inside the ziglang wheel, and arm-none-eabi-gcc.

`zig clang` is used rather than `zig cc`: it is clang's own driver, so FPU flags, optimisation levels,
builtins and -fstack-usage mean what they say, and nothing is built behind the scenes
(`zig cc` ignores -mfpu, maps -O1..-O3 to one level and drops -fstack-usage).
"""

from __future__ import annotations

import functools
import importlib.util
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tinyforge.errors import ToolMissing, UsageError
from tinyforge.paths import firmware_dir
from tinyforge.target import Board
from tinyforge.toolchain.compiler import CompileOptions, Compiler
from tinyforge.toolchain.process import run_tool

TOOLCHAINS = ("zig", "gcc")

CODE_FLAGS = (
    "-ffunction-sections",
    "-fdata-sections",
    "-fstack-usage",
    "-fno-common",
    "-fno-exceptions",
    "-fno-unwind-tables",
    "-fno-asynchronous-unwind-tables",
    "-g0",
)
_TRIPLES = {
    "armv6-m": "thumbv6m",
    "armv7-m": "thumbv7m",
    "armv7e-m": "thumbv7em",
    "armv8-m.main": "thumbv8m.main",
    "armv8.1-m.main": "thumbv8.1m.main",
}


def zig_path() -> Path:
    """The zig binary of the ziglang wheel. Raises ToolMissing without it."""
    spec = importlib.util.find_spec("ziglang")
    if spec is None or spec.origin is None:
        raise ToolMissing("the ziglang package is not installed; get it with: pip install ziglang")
    folder = Path(spec.origin).parent
    for name in ("zig", "zig.exe"):
        if (folder / name).is_file():
            return folder / name
    raise ToolMissing(f"{folder} has no zig binary; reinstall it with: pip install --force-reinstall ziglang")


@functools.cache
def tool_version(path: str, *arguments: str) -> str:
    """First line that `path ARGUMENTS` prints."""
    done = run_tool([path, *arguments], "asking for a version", 60)
    text = done.stdout.decode("utf-8", "replace").strip()
    return text.splitlines()[0].strip() if text else "unknown"


def zig_link_command(objects: Sequence[Path], output: Path, script: Path | None) -> list[str]:
    """Link firmware with the wheel's LLD, for any core."""
    command = [str(zig_path()), "ld.lld", "--gc-sections", "--entry=Reset_Handler", "--build-id=none"]
    command += [f"--script={script}", f"-Map={output.with_suffix('.map')}"]
    return [*command, *map(str, objects), "-o", str(output)]


def zig_object_command(target: Sequence[str], source: Path, output: Path, options: CompileOptions) -> list[str]:
    """Compile one source with the wheel's clang; ``target``: the flags that name the core."""
    zig = zig_path()
    headers = ["-nostdinc", "-isystem", str(zig.parent / "lib" / "include"), "-isystem", str(firmware_dir() / "libc")]
    command = [str(zig), "clang", *target, *CODE_FLAGS, *options.common_flags(), *headers]
    return [*command, "-c", str(source), "-o", str(output)]


def gcc_object_command(
    path: str, target: Sequence[str], source: Path, output: Path, options: CompileOptions
) -> list[str]:
    """Compile one source with the GCC at ``path``; freestanding headers, hosted builtins."""
    command = [path, *target, *CODE_FLAGS, "-ffreestanding", "-fbuiltin", *options.common_flags()]
    return [*command, "-isystem", str(firmware_dir() / "libc"), "-c", str(source), "-o", str(output)]


def gcc_link_command(
    path: str, target: Sequence[str], objects: Sequence[Path], output: Path, script: Path | None
) -> list[str]:
    """Link firmware with GNU ld; libgcc gives what the core lacks."""
    command = [path, *target, "-nostdlib", "-nostartfiles", "-Wl,--gc-sections"]
    command += ["-Wl,--entry=Reset_Handler", "-Wl,--build-id=none", "-Wl,--no-warn-rwx-segments"]
    command += ["-T", str(script), f"-Wl,-Map={output.with_suffix('.map')}"]
    return [*command, *map(str, objects), "-lgcc", "-o", str(output)]


def find_gcc(program: str, package: str) -> str:
    """Path of a GCC. Raises ToolMissing with the Debian package that brings it."""
    path = shutil.which(program)
    if path is None:
        raise ToolMissing(
            f"{program} was not found; install it (apt install {package}) "
            "or use --toolchain zig, which comes with tinyforge"
        )
    return path


def _fpu(board: Board) -> str | None:
    """Name of the floating-point unit for -mfpu, None without one."""
    if not board.has("fpu"):
        return None
    if board.core.name == "cortex-m4":
        return "fpv4-sp-d16"
    if board.core.arch == "armv8.1-m.main":
        return "fp-armv8-fullfp16-d16" if board.has("fpu-dp") else "fp-armv8-fullfp16-sp-d16"
    return "fpv5-d16" if board.has("fpu-dp") else "fpv5-sp-d16"


def _cpu(board: Board, name: str) -> str:
    """-mcpu value: the core `name` with what this chip lacks switched off."""
    if name == "cortex-m33" and not board.has("dsp"):
        return f"{name}+nodsp"
    if board.core.arch == "armv8.1-m.main" and not board.has("mve"):
        return f"{name}+nomve"
    return name


@dataclass(frozen=True, slots=True)
class ZigArm:
    """clang and LLD of the ziglang wheel for one board."""

    board: Board
    name: str = "zig"

    @property
    def identity(self) -> str:
        """Compiler version and target."""
        return f"{tool_version(str(zig_path()), 'clang', '--version')} ({self._cpu()})"

    def _cpu(self) -> str:
        return _cpu(self.board, self.board.core.name)

    def _target_flags(self) -> list[str]:
        hard = self.board.has("fpu")
        triple = f"{_TRIPLES[self.board.core.arch]}-none-eabi{'hf' if hard else ''}"
        flags = [f"--target={triple}", f"-mcpu={self._cpu()}", f"-mfloat-abi={'hard' if hard else 'soft'}"]
        fpu = _fpu(self.board)
        return [*flags, f"-mfpu={fpu or 'none'}"]

    def object_command(self, source: Path, output: Path, options: CompileOptions) -> list[str]:
        """Compile one source."""
        return zig_object_command([*self._target_flags(), "-mthumb"], source, output, options)

    def link_command(self, objects: Sequence[Path], output: Path, script: Path | None) -> list[str]:
        """Link firmware with LLD."""
        return zig_link_command(objects, output, script)


@dataclass(frozen=True, slots=True)
class GccArm:
    """arm-none-eabi-gcc for one board."""

    board: Board
    path: str
    name: str = "gcc"

    @property
    def identity(self) -> str:
        """Compiler version and target."""
        return f"{tool_version(self.path, '--version')} ({self._cpu()})"

    def _cpu(self) -> str:
        # GCC 12 does not know the M85, whose instruction set is the M55's.
        return _cpu(self.board, self.board.core.name.replace("cortex-m85", "cortex-m55"))

    def _target_flags(self) -> list[str]:
        fpu = _fpu(self.board)
        flags = [f"-mcpu={self._cpu()}", "-mthumb", f"-mfloat-abi={'hard' if fpu else 'soft'}"]
        if fpu is None:
            return flags
        return [*flags, "-mfpu=auto" if self.board.core.arch == "armv8.1-m.main" else f"-mfpu={fpu}"]

    def object_command(self, source: Path, output: Path, options: CompileOptions) -> list[str]:
        """Compile one source; freestanding headers, hosted builtins."""
        return gcc_object_command(self.path, self._target_flags(), source, output, options)

    def link_command(self, objects: Sequence[Path], output: Path, script: Path | None) -> list[str]:
        """Link firmware with GNU ld; libgcc gives what the core lacks."""
        return gcc_link_command(self.path, self._target_flags(), objects, output, script)


def arm_compiler(board: Board, toolchain: str = "zig") -> Compiler:
    """The cross compiler `zig` or `gcc` for `board`.

    Raises UsageError for another name, ToolMissing where it is not installed.
    """
    if toolchain == "zig":
        zig_path()
        return ZigArm(board)
    if toolchain == "gcc":
        return GccArm(board, find_gcc("arm-none-eabi-gcc", "gcc-arm-none-eabi"))
    raise UsageError(f"there is no toolchain {toolchain!r}; choose one of: {', '.join(TOOLCHAINS)}")
