"""The page that ``tinyforge check`` points to names every operator that the importer builds, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from tinyforge.importers.from_tflite import BATCHES
from tinyforge.importers.from_tflite_compound import COMPOUND
from tinyforge.importers.from_tflite_ops import BUILDERS
from tinyforge.importers.from_tflite_shapes import EVALUATORS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "operators.md"


def test_operator_page_is_complete() -> None:
    rows = re.findall(r"^\| ([A-Z0-9_, ]+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert {name for row in rows for name in row.split(", ")} == {*BUILDERS, *BATCHES, *COMPOUND, "SHAPE"}


def test_shape_arithmetic_is_listed() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert [name for name in EVALUATORS if name not in text] == []
