"""The one place that knows a source checkout from an installed wheel, and where caches live."""

from __future__ import annotations

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def _data_dir(name: str) -> Path:
    """Folder `name` of data: inside the wheel as `tinyforge/_data/<name>`, else beside the package."""
    shipped = _PACKAGE / "_data" / name
    return shipped if shipped.is_dir() else _PACKAGE.parent / name


def boards_dir() -> Path:
    """Folder of board descriptions (`<board>.toml`)."""
    return _data_dir("boards")


def firmware_dir() -> Path:
    """Folder of hand-written C."""
    return _data_dir("firmware")


def templates_dir() -> Path:
    """Folder of Jinja2 templates."""
    return _data_dir("templates")


def cache_dir() -> Path:
    """User cache folder (not created here); `TINYFORGE_CACHE` overrides it."""
    override = os.environ.get("TINYFORGE_CACHE")
    if override:
        return Path(override)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "tinyforge"
