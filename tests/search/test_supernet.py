"""The supernet with TensorFlow: slices equal stand-alone models, training goes on where it stopped, and the whole way
from data to compiled points. In programs of their own, for TensorFlow warns of itself."""

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

pytestmark = pytest.mark.skipif(
    not all(map(find_spec, ("tensorflow", "optuna", "sklearn"))), reason="needs tinyforge[search]"
)


def program(*arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_slices_of_a_small_supernet_equal_models(tmp_path: Path) -> None:
    found = program("-m", "tests.search.supernet_program", str(tmp_path), "1", "sandwich", "small")
    assert max(found["differences"]) < 1e-4
    assert found["sorting_error"] < 1e-4
    assert found["traces"] == 1, "one trace serves all sub-networks"
    assert found["resumed"] == 0, "a training that was stopped ends as one that was not"


@pytest.mark.long
@pytest.mark.parametrize("recipe", ["sandwich", "sortednet"])
def test_slices_equal_models_and_training_goes_on(tmp_path: Path, recipe: str) -> None:
    arguments = ("-m", "tests.search.supernet_program", str(tmp_path), "2", recipe, "everything")
    once = program(*arguments)
    assert max(once["differences"]) < 1e-4
    assert once["sorting_error"] < 1e-4
    assert once["traces"] == 1
    plain, int8, before_aware = once["finalist"]
    assert once["kept"]
    assert plain > 0.6
    assert int8 >= before_aware
    assert int8 > plain - 0.05
    again = program(*arguments)
    assert again["digest"] == once["digest"], "a finished training is not repeated"
    assert again["accuracies"] == once["accuracies"]


@pytest.mark.long
def test_from_data_to_compiled_points(tmp_path: Path) -> None:
    out = tmp_path / "study"
    few = ("--steps", "40", "--evaluations", "4", "--finalists", "1", "--fine-steps", "60", "--warm-up", "proxy")
    options = ("--data", "digits", "--sram", "8K", "--refit", *few, "--jobs", "1", "-o", str(out), "--json")
    found = program("-m", "tinyforge", "search", *options)
    (point,) = found["front"]
    assert point["arena_bytes"] <= 8192
    assert 0 < point["accuracy"] <= 1
    folder = Path(point["folder"])
    assert (folder / "build" / "model.c").is_file()
    decided = json.loads((folder.parent / point["refit"]["point"] / "point.json").read_text())
    assert decided["candidate"] == point["candidate"]
    assert decided["accuracy"] == point["accuracy"], "validation samples say nothing about a network they trained"
    assert decided["test_accuracy"] == point["refit"]["test_accuracy_before"]
    assert (folder / "model.tflite").read_bytes() != (
        folder.parent / point["refit"]["point"] / "model.tflite"
    ).read_bytes()
    assert point["predicted"]["executed_macs"] == point["executed_macs"]
    assert point["candidate"] in (out / "index.html").read_text()
    again = program("-m", "tinyforge", "search", "--resume", str(out), "--jobs", "1", "--json")
    assert again["front"] == found["front"]
    trials = json.loads((out / "trials.json").read_text())["trials"]
    assert len(trials) == found["trials"]
    assert all((t["accuracy"] is None) == bool(t["broken"]) for t in trials)
