"""An operator is three files and one line in one table: nothing else in the project may name it.

The probes are operators that few others relate to. The importer's table maps their names in the file format, and passes
may know operators they rewrite, which is optional; nothing else outside an operator's own files says its name.
"""

from __future__ import annotations

import pytest

from tests.guards.source import ROOT
from tinyforge.ops import OPS

PROBES = ("depth_to_space", "leaky_relu", "arg_max", "space_to_depth")
ALLOWED = (
    "tinyforge/ops/",
    "tinyforge/importers/",
    "tinyforge/passes/",
    "firmware/kernels/",
    "tests/",
    "docs/",
    "README.md",
    "CHANGELOG.md",
)


@pytest.mark.parametrize("kind", [probe for probe in PROBES if probe in OPS])
def test_an_operator_touches_only_its_own_files(kind: str) -> None:
    names = (kind, OPS[kind].__name__)
    found = []
    for folder in ("tinyforge", "templates", "firmware"):
        for path in sorted((ROOT / folder).rglob("*")):
            relative = str(path.relative_to(ROOT))
            if path.suffix not in {".py", ".j2", ".c", ".h"} or relative.startswith(ALLOWED):
                continue
            if any(name in path.read_text(encoding="utf-8") for name in names):
                found.append(relative)
    assert not found


def test_the_table_names_every_operator_by_its_kind() -> None:
    assert all(cls.kind == kind for kind, cls in OPS.items())
