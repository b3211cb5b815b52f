"""Compilers for the machine tinyforge runs on: the system's, or zig's where there is none."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tinyforge.errors import ToolMissing, UsageError
from tinyforge.toolchain.compiler import CompileOptions, Compiler
from tinyforge.toolchain.drivers import tool_version, zig_path

NATIVE_COMPILERS = ("gcc", "clang", "cc", "zig")

_SANITIZE = ("-g1", "-fno-omit-frame-pointer", "-fno-sanitize-recover=all")


@dataclass(frozen=True, slots=True)
class SystemCompiler:
    """gcc, clang or cc found on the path."""

    name: str
    path: str
    sanitize: bool = False

    @property
    def identity(self) -> str:
        """Compiler version."""
        return tool_version(self.path, "--version")

    def object_command(self, source: Path, output: Path, options: CompileOptions) -> list[str]:
        """Compile one source."""
        flags = [*_SANITIZE, "-fsanitize=address,undefined"] if self.sanitize else ["-g0"]
        return [self.path, *flags, *options.common_flags(), "-c", str(source), "-o", str(output)]

    def link_command(self, objects: Sequence[Path], output: Path, script: Path | None) -> list[str]:
        """Link an executable."""
        assert script is None
        flags = ["-fsanitize=address,undefined"] if self.sanitize else []
        return [self.path, *flags, *map(str, objects), "-o", str(output)]


@dataclass(frozen=True, slots=True)
class ZigNative:
    """`zig cc` for this machine. It ships no AddressSanitizer; undefined behaviour traps without a text."""

    name: str = "zig"
    sanitize: bool = False

    @property
    def identity(self) -> str:
        """Compiler version."""
        return "zig cc " + tool_version(str(zig_path()), "version")

    def object_command(self, source: Path, output: Path, options: CompileOptions) -> list[str]:
        """Compile one source."""
        checks = ["-fno-sanitize=undefined"]
        if self.sanitize:
            checks = ["-fsanitize=undefined", "-fsanitize-trap=undefined"]
        command = [str(zig_path()), "cc", "-g0", *checks, *options.common_flags()]
        return [*command, "-c", str(source), "-o", str(output)]

    def link_command(self, objects: Sequence[Path], output: Path, script: Path | None) -> list[str]:
        """Link an executable."""
        assert script is None
        return [str(zig_path()), "cc", *map(str, objects), "-o", str(output)]


def native_compiler(name: str = "auto", sanitize: bool = False) -> Compiler:
    """A compiler for this machine: `auto` takes the first installed of NATIVE_COMPILERS.

    Raises UsageError for an unknown name, ToolMissing where the named one is not installed.
    """
    if name not in ("auto", *NATIVE_COMPILERS):
        raise UsageError(f"there is no host compiler {name!r}; choose auto or {', '.join(NATIVE_COMPILERS)}")
    for candidate in NATIVE_COMPILERS if name == "auto" else (name,):
        if candidate == "zig":
            zig_path()
            return ZigNative(sanitize=sanitize)
        path = shutil.which(candidate)
        if path is not None:
            return SystemCompiler(candidate, path, sanitize)
    raise ToolMissing(f"{name} was not found on the path; use --compiler zig, which comes with tinyforge")


def has_address_sanitizer(compiler: Compiler) -> bool:
    """Whether a sanitised build of `compiler` also checks addresses (zig's does not)."""
    return compiler.name != "zig"
