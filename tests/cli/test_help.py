"""Help texts are pinned (rewrite them with `make golden`), and asking for help loads next to nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.shared import ROOT

HELP = Path(__file__).parent / "help"
COMMANDS = [
    "",
    "bench",
    "bench memory",
    "boards",
    "check",
    "compile",
    "doctor",
    "flash",
    "report",
    "run",
    "search",
    "zoo",
]
HEAVY = ("numpy", "rich", "jinja2", "ai_edge_litert", "unicorn", "capstone", "elftools", "serial", "tinyforge.api.run")


def help_text(command: str) -> str:
    environment = {**os.environ, "COLUMNS": "100", "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-m", "tinyforge", *command.split(), "--help"]
    return subprocess.run(words, capture_output=True, text=True, check=True, env=environment, cwd=ROOT).stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_help(command: str) -> None:
    text = "\n".join(line.rstrip() for line in help_text(command).splitlines()) + "\n"
    path = HELP / f"{command.replace(' ', '_') or 'tinyforge'}.txt"
    if os.environ.get("TINYFORGE_UPDATE_GOLDENS"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from tinyforge.cli.main import run\n"
        "try: run(['compile', '--help'])\n"
        f"finally: print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
