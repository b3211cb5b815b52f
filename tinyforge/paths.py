"""Where the project's data folders are: beside the package in a checkout, inside it in an installed wheel."""

from __future__ import annotations

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def _data(folder: str) -> Path:
    installed = _PACKAGE / "_data" / folder
    return installed if installed.is_dir() else _PACKAGE.parent / folder


def templates_dir() -> Path:
    """Jinja2 templates."""
    return _data("templates")


def firmware_dir() -> Path:
    """Hand-written C."""
    return _data("firmware")


def boards_dir() -> Path:
    """Board descriptions."""
    return _data("boards")


def cache_dir() -> Path:
    """User cache folder (not created here); `TINYFORGE_CACHE` overrides it."""
    override = os.environ.get("TINYFORGE_CACHE")
    if override:
        return Path(override)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "tinyforge"
