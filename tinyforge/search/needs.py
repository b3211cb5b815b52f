"""What ``tinyforge search`` needs beside tinyforge itself, said in one line where it is not there."""

from __future__ import annotations

from importlib.util import find_spec

from tinyforge.errors import ToolMissing

INSTALL = "pip install 'tinyforge[search]'"
TORCH = "pip install 'tinyforge[torch]'"


def missing(what: str, install: str = INSTALL) -> ToolMissing:
    """The error to raise where the package ``what`` cannot be imported."""
    return ToolMissing(f"tinyforge search needs {what}, which is not installed; install it with: {install}")


def check_torch() -> None:
    """Raises ToolMissing where PyTorch is not installed; does not import it."""
    _check("torch", "PyTorch", TORCH)


def check_installed() -> None:
    """Raises ToolMissing where TensorFlow or Optuna is not installed; imports neither."""
    for module, name in (("tensorflow", "TensorFlow"), ("optuna", "Optuna")):
        _check(module, name)


def _check(module: str, what: str, install: str = INSTALL) -> None:
    if find_spec(module) is None:
        raise missing(what, install)
