"""``tinyforge.doctor``: which tools are here, what each is for, how to get the rest."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Any


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool. ``found``: version or path, None where it is missing. ``needed``: nothing works without it."""

    name: str
    purpose: str
    needed: bool
    found: str | None
    get: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All tools, the needed ones first."""

    tools: tuple[Tool, ...]

    @property
    def healthy(self) -> bool:
        """Whether everything needed is here."""
        return all(tool.found for tool in self.tools if tool.needed)

    def as_json(self) -> dict[str, Any]:
        return {"healthy": self.healthy, "tools": [asdict(tool) for tool in self.tools]}


# distribution, importable module, needed, what for
_PACKAGES = (
    ("numpy", "numpy", True, "arithmetic of the compiler and of the integer reference"),
    (
        "ai-edge-litert",
        "ai_edge_litert",
        True,
        "reads .tflite files; its reference kernels are what outputs must equal",
    ),
    ("jinja2", "jinja2", True, "prints the C"),
    ("ziglang", "ziglang", True, "C compiler for Cortex-M and for this machine (--toolchain zig)"),
    ("unicorn", "unicorn", True, "instruction-set emulator (--emulator unicorn)"),
    ("pyelftools", "elftools", True, "measures linked firmware"),
    ("capstone", "capstone", True, "disassembles code for cycle estimates"),
    ("pyserial", "serial", True, "talks to boards"),
    ("ortools", "ortools", False, "larger optimality proofs of memory plans"),
)

# program, what for, Debian package
_PROGRAMS = (
    ("arm-none-eabi-gcc", "second C compiler for Cortex-M (--toolchain gcc)", "gcc-arm-none-eabi"),
    ("qemu-system-arm", "second emulator (--emulator qemu) and the stm32f405 board", "qemu-system-arm"),
    ("gcc", "runs models on this machine with address checks", "gcc"),
)


def doctor() -> Diagnosis:
    """Look at this installation. Never raises for a missing tool."""
    python = Tool("python", "runs tinyforge (3.10 or later)", True, sys.version.split()[0], "https://www.python.org")
    packages = [_package(*entry) for entry in _PACKAGES]
    programs = [
        Tool(name, purpose, False, shutil.which(name), f"apt install {debian}") for name, purpose, debian in _PROGRAMS
    ]
    tools = [python, *packages, *programs]
    return Diagnosis(tuple(sorted(tools, key=lambda tool: not tool.needed)))


def _package(name: str, module: str, needed: bool, purpose: str) -> Tool:
    found = None
    if importlib.util.find_spec(module) is not None:
        found = _version(name)
    return Tool(name, purpose, needed, found, f"pip install {name}")


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "installed"
