"""The whole text of tiny models' graphs, programs and generated C. After an intended change: make golden."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.tiny_models import TINY, build, built
from tinyforge.codegen.generate import lower_graph
from tinyforge.ir.printer import graph_lines, program_lines

EXPECTED = Path(__file__).parent / "expected"
UPDATE = os.environ.get("TINYFORGE_UPDATE_GOLDENS") == "1"


def texts(name: str) -> dict[str, str]:
    """File name -> text; the kernels' own headers are not repeated here."""
    model = built(name)
    lines = [*graph_lines(model.graph), "", *program_lines(model.graph, lower_graph(model.graph)), ""]
    own = {file: text for file, text in model.tree.files.items() if file.startswith(f"tiny_{name}")}
    return {f"{name}.txt": "\n".join(lines), **own}


@pytest.mark.parametrize("name", TINY)
def test_text_is_as_expected(name: str) -> None:
    folder = EXPECTED / name
    found = texts(name)
    if UPDATE:
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():
            old.unlink()
        for file, text in found.items():
            (folder / file).write_text(text, encoding="utf-8")
    assert sorted(found) == sorted(p.name for p in folder.iterdir()), "files differ: make golden"
    for file, text in found.items():
        assert text == (folder / file).read_text(encoding="utf-8"), f"{file} changed; if that was intended: make golden"


@pytest.mark.parametrize("name", TINY)
def test_same_input_same_bytes(name: str) -> None:
    assert build(name).tree == build(name).tree
