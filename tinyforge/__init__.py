"""tinyforge: TinyML deployment toolchain for microcontrollers.

The verbs of the command line as functions: ``tinyforge.compile("model.tflite", board="emulated_m7", sram="64K")``.
They are loaded when first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tinyforge.api.boards import boards
    from tinyforge.api.check import check
    from tinyforge.api.compile import compile
    from tinyforge.api.doctor import doctor
    from tinyforge.api.export import export
    from tinyforge.api.flash import flash
    from tinyforge.api.report import report
    from tinyforge.api.run import run
    from tinyforge.errors import (
        DeviceError,
        DoesNotFit,
        ModelError,
        TinyforgeError,
        ToolMissing,
        UnsupportedModel,
        UsageError,
    )

__version__ = "0.1.0"

_VERBS = ("boards", "check", "compile", "doctor", "export", "flash", "report", "run")
_ERRORS = (
    "DeviceError",
    "DoesNotFit",
    "ModelError",
    "TinyforgeError",
    "ToolMissing",
    "UnsupportedModel",
    "UsageError",
)

__all__ = [
    "DeviceError",
    "DoesNotFit",
    "ModelError",
    "TinyforgeError",
    "ToolMissing",
    "UnsupportedModel",
    "UsageError",
    "__version__",
    "boards",
    "check",
    "compile",
    "doctor",
    "export",
    "flash",
    "report",
    "run",
]


def __getattr__(name: str) -> Any:
    if name in _VERBS:
        return getattr(import_module(f"tinyforge.api.{name}"), name)
    if name in _ERRORS:
        return getattr(import_module("tinyforge.errors"), name)
    raise AttributeError(f"module 'tinyforge' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
