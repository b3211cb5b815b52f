"""The study: rejected candidates are kept, killed studies go on as if nothing had happened."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.guards.source import ROOT
from tinyforge.search.feasibility import Cost
from tinyforge.search.page import study_page
from tinyforge.search.space import Candidate
from tinyforge.search.study import Trial, pareto, spread

pytest.importorskip("optuna")


def start(folder: Path, pause: float) -> subprocess.Popen[str]:
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "tests.search.study_program", str(folder), str(pause)]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )


def finish(program: subprocess.Popen[str]) -> dict[str, Any]:
    text, _ = program.communicate(timeout=300)
    assert program.returncode == 0
    found: dict[str, Any] = json.loads(text)
    return found


def test_a_killed_study_ends_like_an_undisturbed_one(tmp_path: Path) -> None:
    expected = finish(start(tmp_path / "calm", 0))
    killed = start(tmp_path / "killed", 0.3)
    judged = tmp_path / "killed" / "judged.txt"
    deadline = time.monotonic() + 120
    while not judged.exists() or len(judged.read_text().split()) < 4:
        assert killed.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    before = judged.read_text().split()
    found = finish(start(tmp_path / "killed", 0))
    assert found["trials"] == expected["trials"]
    assert [p["candidate"] for p in found["front"]] == [p["candidate"] for p in expected["front"]]
    after = judged.read_text().split()
    # What was judged and stored is not judged again; one may have been judged but not stored.
    assert after[: len(before)] == before
    assert len(after) - len(set(after)) <= 1
    kinds = {bool(broken) for _, _, broken in found["trials"]}
    assert kinds == {True, False}, "some are rejected, with the limit they broke, and some judged"
    assert all((accuracy is None) == bool(broken) for _, accuracy, broken in found["trials"])


def trial(number: int, accuracy: float, arena: int) -> Trial:
    return Trial(number, Candidate((number,)), Cost(arena, 0, 0, 0, 1.0), accuracy, {})


def test_front_and_spread() -> None:
    trials = [trial(0, 0.9, 100), trial(1, 0.8, 50), trial(2, 0.85, 120), trial(3, 0.7, 20), trial(4, 0.6, 60)]
    front = pareto(trials, ("arena_bytes",))
    assert [t.number for t in front] == [0, 1, 3]
    assert [t.number for t in spread(front, 2)] == [0, 3]
    assert [t.number for t in spread(front, 1)] == [0]
    assert [t.number for t in pareto(trials, ())] == [0]


def test_page_has_every_network_and_no_script() -> None:
    point = {
        "candidate": "abc",
        "accuracy": 0.95,
        "test_accuracy": 0.94,
        "float_accuracy": 0.96,
        "arena_bytes": 90,
        "executed_macs": 1000,
        "flash_bytes": {"total": 5000},
        "next": ["tinyforge flash out/a&b"],
    }
    page = study_page("digits", "emulated_m4", "tiny", [trial(0, 0.9, 100), trial(1, 0.8, 50)], [point])
    assert page.count('class="dot"') == 2 * 2
    assert page.count('class="point"') == 2
    assert "95.00%" in page
    assert "a&amp;b" in page
    assert "<script" not in page
    assert "http" not in page
