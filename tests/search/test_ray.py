"""A study on two local Ray nodes, one of which is killed while it works."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.guards.source import ROOT

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not all(map(find_spec, ("optuna", "ray"))), reason="needs tinyforge[search,ray]"),
]


def test_a_lost_node_loses_nothing(tmp_path: Path, expected: dict[str, Any]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.search.ray_program", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    # Ray reports the loss on stdout too.
    found = json.loads(done.stdout.splitlines()[-1])
    lost = found.pop("lost")
    assert found == expected
    notes = [line.split() for line in (tmp_path / "nodes.txt").read_text().splitlines()]
    began = [key for what, node, key in notes if what == "began" and node == lost]
    ended = [key for what, node, key in notes if what == "ended" and node == lost]
    assert ended
    unfinished = set(began) - set(ended)
    assert len(unfinished) == 1, "it was killed while it worked"
    again = [node for what, node, key in notes if what == "ended" and key in unfinished]
    assert again
    assert lost not in again
