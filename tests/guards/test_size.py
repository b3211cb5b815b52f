"""Small tail: modules up to 400 lines, functions up to 50."""

from __future__ import annotations

import ast

from tests.guards.source import ROOT, modules

MODULE_LINES = 400
FUNCTION_LINES = 50


def test_modules_are_small() -> None:
    sizes = {path: len((ROOT / path).read_text(encoding="utf-8").splitlines()) for path in modules()}
    assert not {path: lines for path, lines in sizes.items() if lines > MODULE_LINES}


def test_functions_are_small() -> None:
    found = []
    for path, tree in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES:
                    found.append(f"{path}:{node.lineno} {node.name}: {lines} lines")
    assert not found, "\n".join(found)


def test_every_public_module_function_and_class_says_what_it_is_for() -> None:
    found = []
    for path, tree in modules().items():
        if tree.body and not ast.get_docstring(tree):
            found.append(path)
        for node in tree.body:
            named = isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
            if named and not ast.get_docstring(node) and (node.end_lineno or 0) - node.lineno > 12:  # type: ignore[attr-defined]
                found.append(f"{path}:{node.lineno} {node.name}")  # type: ignore[attr-defined]
    assert not found, "\n".join(found)
