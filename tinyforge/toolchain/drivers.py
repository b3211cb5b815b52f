"""Cross compilers whatever the core: the clang inside the ziglang wheel, and a GCC for bare metal.

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

from tinyforge.errors import ToolMissing
from tinyforge.paths import firmware_dir
from tinyforge.toolchain.compiler import CompileOptions
from tinyforge.toolchain.process import run_tool

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


def find_gcc(program: str, package: str) -> str:
    """Path of a GCC. Raises ToolMissing with the Debian package that brings it."""
    path = shutil.which(program)
    if path is None:
        raise ToolMissing(
            f"{program} was not found; install it (apt install {package}) "
            "or use --toolchain zig, which comes with tinyforge"
        )
    return path


@dataclass(frozen=True, slots=True)
class CoreFlags:
    """How a compiler is told the core. ``core``: its name for people; ``target``: flags for compiling and linking;
    ``code``: flags for compiling alone."""

    core: str
    target: tuple[str, ...]
    code: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Zig:
    """clang and LLD of the ziglang wheel for one core."""

    flags: CoreFlags
    name: str = "zig"

    @property
    def identity(self) -> str:
        """Compiler version and target."""
        return f"{tool_version(str(zig_path()), 'clang', '--version')} ({self.flags.core})"

    def object_command(self, source: Path, output: Path, options: CompileOptions) -> list[str]:
        """Compile one source."""
        zig = zig_path()
        headers = [zig.parent / "lib" / "include", firmware_dir() / "libc"]
        command = [str(zig), "clang", *self.flags.target, *self.flags.code, *CODE_FLAGS, *options.common_flags()]
        command += ["-nostdinc", *(word for folder in headers for word in ("-isystem", str(folder)))]
        return [*command, "-c", str(source), "-o", str(output)]

    def link_command(self, objects: Sequence[Path], output: Path, script: Path | None) -> list[str]:
        """Link firmware with LLD."""
        command = [str(zig_path()), "ld.lld", "--gc-sections", "--entry=Reset_Handler", "--build-id=none"]
        command += [f"--script={script}", f"-Map={output.with_suffix('.map')}"]
        return [*command, *map(str, objects), "-o", str(output)]


@dataclass(frozen=True, slots=True)
class Gcc:
    """The GCC at ``path`` for one core."""

    flags: CoreFlags
    path: str
    name: str = "gcc"

    @property
    def identity(self) -> str:
        """Compiler version and target."""
        return f"{tool_version(self.path, '--version')} ({self.flags.core})"

    def object_command(self, source: Path, output: Path, options: CompileOptions) -> list[str]:
        """Compile one source; freestanding headers, hosted builtins."""
        command = [self.path, *self.flags.target, *self.flags.code, *CODE_FLAGS, "-ffreestanding", "-fbuiltin"]
        command += [*options.common_flags(), "-isystem", str(firmware_dir() / "libc")]
        return [*command, "-c", str(source), "-o", str(output)]

    def link_command(self, objects: Sequence[Path], output: Path, script: Path | None) -> list[str]:
        """Link firmware with GNU ld; libgcc gives what the core lacks."""
        command = [self.path, *self.flags.target, "-nostdlib", "-nostartfiles", "-Wl,--gc-sections"]
        command += ["-Wl,--entry=Reset_Handler", "-Wl,--build-id=none", "-Wl,--no-warn-rwx-segments"]
        command += ["-T", str(script), f"-Wl,-Map={output.with_suffix('.map')}"]
        return [*command, *map(str, objects), "-lgcc", "-o", str(output)]
