"""Python computes, templates print: no arithmetic inside template tags, no knowledge of single operators."""

from __future__ import annotations

import re

import pytest

from tests.guards.source import ROOT
from tinyforge.ops import OPS

TEMPLATES = sorted((ROOT / "templates").rglob("*.j2"))
_TAG = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_STRING = re.compile(r"\"[^\"]*\"|'[^']*'")
# Leading and trailing dashes of a tag are whitespace control.
_CONTROL = re.compile(r"^\{[{%]-?|-?[%}]\}$")


def tags(text: str) -> list[str]:
    """The inside of every tag, string literals removed."""
    return [_STRING.sub("", _CONTROL.sub("", tag)) for tag in _TAG.findall(text)]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_arithmetic(path) -> None:  # type: ignore[no-untyped-def]
    # "+" between names joins lists; everything that computes a number is refused.
    wrong = [
        tag for tag in tags(path.read_text(encoding="utf-8")) if re.search(r"\*|/|%|\s-\s|\d\s*\+|\+\s*\d|//", tag)
    ]
    assert not wrong


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_operator_is_named(path) -> None:  # type: ignore[no-untyped-def]
    quoted = [s[1:-1] for tag in _TAG.findall(path.read_text(encoding="utf-8")) for s in _STRING.findall(tag)]
    assert not [text for text in quoted if text in OPS]
