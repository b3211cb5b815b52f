"""Imports point one way: a layer imports only layers before it."""

from __future__ import annotations

import ast

from tests.guards.source import modules

ORDER = [
    *("errors", "paths", "ir", "ops", "interp", "importers", "passes", "quant", "memory", "target", "schedule"),
    *("codegen", "toolchain", "device", "reporting", "exporting", "search", "api", "cli"),
]


def layer(module: str) -> str | None:
    """``tinyforge.ir.graph`` -> ``ir``; None for the package itself and for other libraries."""
    parts = module.split(".")
    return parts[1] if parts[0] == "tinyforge" and len(parts) > 1 else None


def imported(tree: ast.Module) -> set[str]:
    """Modules imported anywhere in a module, type-checking blocks included."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_every_folder_has_its_place() -> None:
    folders = {path.split("/")[1].removesuffix(".py") for path in modules()}
    assert folders - {"__init__", "__main__"} == set(ORDER)


def test_imports_point_one_way() -> None:
    wrong = []
    for path, tree in modules().items():
        own = path.split("/")[1].removesuffix(".py")
        if own not in ORDER:
            continue
        for name in sorted(imported(tree)):
            other = layer(name)
            if other in ORDER and ORDER.index(other) > ORDER.index(own):
                wrong.append(f"{path} imports {name}")
    assert not wrong, "\n".join(wrong)
