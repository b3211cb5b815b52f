"""The public names are pinned: adding or removing one is a decision, not an accident."""

from __future__ import annotations

import subprocess
import sys

import tinyforge
from tests.guards.source import PACKAGE, ROOT

VERBS = ["boards", "check", "compile", "doctor", "export", "flash", "report", "run"]
ERRORS = ["DeviceError", "DoesNotFit", "ModelError", "TinyforgeError", "ToolMissing", "UnsupportedModel", "UsageError"]


def test_public_names() -> None:
    assert sorted(tinyforge.__all__) == sorted([*VERBS, *ERRORS, "__version__"])
    assert all(callable(getattr(tinyforge, verb)) for verb in VERBS)


def test_importing_the_package_loads_nothing_else() -> None:
    code = "import sys, tinyforge; print(*[m for m in sys.modules if m.startswith(('tinyforge.', 'numpy'))])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_no_submodule_hides_a_verb() -> None:
    names = {path.stem for path in PACKAGE.iterdir()}
    assert not names & set(VERBS)
