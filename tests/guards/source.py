"""The project's own sources, parsed."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "tinyforge"


def modules() -> dict[str, ast.Module]:
    """Path relative to the repository -> syntax tree, for every module of the package."""
    return {
        str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(PACKAGE.rglob("*.py"))
        if "_data" not in path.parts
    }
