"""Damaged and hostile `.tflite` files: each ends in a graph or one TinyforgeError, quickly and in little memory.

The files are mutations of small models: truncations, bit flips, overwritten words (offsets, lengths and table fields
of the flatbuffer), copied blocks, and fields changed in the object tree. They run in a worker process with a limit on
address space and an alarm for every file.
"""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.mutants import mutations
from tinyforge.errors import ModelError, TinyforgeError
from tinyforge.importers.from_tflite import graph_of
from tinyforge.importers.from_tflite_raw import parse_tflite
from tinyforge.passes.pipeline import optimise

FILES = 2400
SECONDS_PER_FILE = 5
ADDRESS_SPACE = 1 << 30


def digest_one(data: bytes) -> str:
    """What became of a file: "ok", or the error's class; anything but a TinyforgeError escapes."""
    try:
        optimise(graph_of(parse_tflite(data, "mutant.tflite")))
    except TinyforgeError as error:
        message, outcome = str(error), type(error).__name__
    else:
        return "ok"
    if not message.startswith("mutant.tflite") or len(message) > 4000:
        raise AssertionError(f"not a message for a user: {message[:4000]}")
    return outcome


def worker(seed: int, count: int) -> None:
    """Runs in a process of its own; prints the outcome counts and the slowest file as JSON."""
    import ai_edge_litert.schema_py_generated  # noqa: F401  (its import is not part of a file's time)

    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    outcomes: dict[str, int] = {}
    slowest = 0.0
    for index, data in enumerate(mutations(seed, count)):
        signal.alarm(SECONDS_PER_FILE)
        start = time.perf_counter()
        try:
            outcome = digest_one(data)
        except BaseException as error:
            raise AssertionError(f"file {index} of seed {seed}: {type(error).__name__}: {error}") from error
        signal.alarm(0)
        slowest = max(slowest, time.perf_counter() - start)
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
    print(json.dumps({"outcomes": outcomes, "slowest": slowest}))


def test_mutated_files_end_in_one_clear_error() -> None:
    root = Path(__file__).resolve().parents[2]
    code = f"from tests.unit.test_importer_robustness import worker; worker(2025, {FILES})"
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(root), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=root, env=environment, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads(done.stdout.splitlines()[-1])
    assert sum(report["outcomes"].values()) == FILES
    assert report["outcomes"]["ModelError"] > FILES // 10
    assert report["outcomes"]["UnsupportedModel"] > FILES // 20
    assert report["slowest"] < SECONDS_PER_FILE


@pytest.mark.parametrize(
    "data,what",
    [
        (b"", "0 bytes"),
        (b"TFL3", "4 bytes"),
        (b"\x00" * 64, "identifier"),
        (b"PK\x03\x04TFL0" + b"\x00" * 64, "identifier"),
        (b"\xff\xff\xff\x7fTFL3" + b"\xff" * 64, "malformed"),
    ],
)
def test_files_that_are_no_models(data: bytes, what: str) -> None:
    with pytest.raises(ModelError, match=f"^junk.tflite: .*{what}"):
        parse_tflite(data, "junk.tflite")
