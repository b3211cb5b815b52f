"""Starts, kills and awaits ``study_program``, for the tests of storages."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.guards.source import ROOT


def start(folder: Path, pause: float, url: str = "-", workers: int = 1, dies_after: int = 0) -> subprocess.Popen[str]:
    """A process that works on the study in ``folder``; see ``study_program``."""
    folder.mkdir(exist_ok=True)
    words = [str(folder), str(pause), url, str(workers), str(dies_after)]
    command = [sys.executable, "-m", "tests.search.study_program", *words]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )


def finish(program: subprocess.Popen[str]) -> dict[str, Any]:
    """What it prints in the end."""
    text, _ = program.communicate(timeout=300)
    assert program.returncode == 0
    found: dict[str, Any] = json.loads(text)
    return found


def kill_when(judged: Path, count: int, program: subprocess.Popen[str]) -> None:
    """SIGKILL, once ``count`` candidates are judged."""
    deadline = time.monotonic() + 120
    while not judged.exists() or len(judged.read_text().split()) < count:
        assert program.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    program.send_signal(signal.SIGKILL)
    program.communicate()
