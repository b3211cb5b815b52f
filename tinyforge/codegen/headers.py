"""Which hand-written headers a generated model needs: the kernels' own, and what those include."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from tinyforge.paths import firmware_dir

_INCLUDE = re.compile(r'^#include "(tf_[a-z0-9_]+\.h)"', re.MULTILINE)


def header_path(name: str) -> Path:
    """Source of a kernel or runtime header."""
    for folder in ("kernels", "include"):
        path = firmware_dir() / folder / name
        if path.is_file():
            return path
    raise FileNotFoundError(name)


def header_closure(names: Iterable[str]) -> dict[str, str]:
    """Name -> text of the headers and everything they include, sorted by name."""
    found: dict[str, str] = {}
    pending = list(names)
    while pending:
        name = pending.pop()
        if name not in found:
            found[name] = header_path(name).read_text(encoding="utf-8")
            pending += _INCLUDE.findall(found[name])
    return dict(sorted(found.items()))
