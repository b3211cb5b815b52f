"""What ``tinyforge search`` needs beside tinyforge itself, said in one line where it is not there."""

from __future__ import annotations

from importlib.util import find_spec

from tinyforge.errors import ToolMissing

INSTALL = "pip install 'tinyforge[search]'"


def missing(what: str, install: str = INSTALL) -> ToolMissing:
    """The error to raise where the package ``what`` cannot be imported."""
    return ToolMissing(f"tinyforge search needs {what}, which is not installed; install it with: {install}")


def check_installed() -> None:
    """Raises ToolMissing where TensorFlow or Optuna is not installed; imports neither."""
    for module, name in (("tensorflow", "TensorFlow"), ("optuna", "Optuna")):
        if find_spec(module) is None:
            raise missing(name)
