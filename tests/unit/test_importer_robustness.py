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
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.graph_builder import NONE, POOL, GraphBuilder
from tests.mutants import mutations
from tests.tflite_writer import write_tflite
from tinyforge.errors import ModelError, TinyforgeError
from tinyforge.importers.from_tflite import graph_of
from tinyforge.importers.from_tflite_raw import parse_tflite
from tinyforge.ir.graph import Graph
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


def _constants(count: int) -> tuple[GraphBuilder, str, str]:
    b = GraphBuilder()
    return b, b.input((1, 4, 4, 1)), b.const((1, 4, 4, count))


def bomb_of_concatenations() -> Graph:
    """Constants that double with every operator."""
    b, x, c = _constants(64)
    for i in range(24):
        c = b.op("concatenation", [c, c], (1, 4, 4, 64 << (i + 1)), axis=3, activation=NONE)
    return b.graph([x], [b.op("add", [c, x], (1, 4, 4, 64 << 24), activation=NONE)])


def bomb_of_a_resize() -> Graph:
    b, x, c = _constants(4)
    size = {"size": (65536, 65536), "align_corners": False, "half_pixel_centers": False}
    return b.graph([x], [b.op("resize_nearest_neighbor", [c], (1, 1, 1, 4), **size)])


def bomb_of_a_pool() -> Graph:
    b, x, c = _constants(4)
    pool = POOL | {"size": (60000, 60000)}
    return b.graph([x], [b.op("average_pool2d", [c], (1, 1, 1, 4), **pool | {"padding": (0, 0, 0, 0)})])


def bomb_of_shared_constants() -> Graph:
    """Two thousand operators that all read one large constant."""
    b = GraphBuilder()
    x, c = b.input((1, 1)), b.const((1, 1 << 20))
    outputs = [b.op("add", [c, x], (1, 1 << 20), activation=NONE) for _ in range(1900)]
    return b.graph([x], outputs[:1])


def long_chain() -> Graph:
    """As many operators as a file may have, each one dropped by a pass."""
    b = GraphBuilder()
    x = b.input((1, 4, 4, 2))
    y = b.op("relu", [x], (1, 4, 4, 2))
    for _ in range(999):
        y = b.op("transpose", [y], (1, 2, 4, 4), perm=(0, 3, 1, 2))
        y = b.op("reshape", [y], (1, 4, 4, 2), shape=(1, 4, 4, 2))
    return b.graph([x], [y])


def chain_of_pads() -> Graph:
    b = GraphBuilder()
    x = b.input((1, 4, 2))
    y = x
    for i in range(1900):
        y = b.op("pad", [y], (1, 5 + i, 2), value=None, paddings=((0, 0), (1, 0), (0, 0)))
    return b.graph([x], [b.op("expand_dims", [y], (1, 1, 1904, 2), axis=1)])


BOMBS = (
    bomb_of_a_pool,
    bomb_of_a_resize,
    bomb_of_concatenations,
    bomb_of_shared_constants,
    chain_of_pads,
    long_chain,
)


@pytest.mark.parametrize("bomb", BOMBS)
def test_files_that_ask_for_too_much(bomb: Callable[[], Graph]) -> None:
    """Seconds of this process: other processes may use the machine too."""
    data = write_tflite(bomb())
    start = time.process_time()
    try:
        optimise(graph_of(parse_tflite(data, "bomb.tflite")))
    except ModelError as error:
        assert str(error).startswith("bomb.tflite")  # noqa: PT017
    assert time.process_time() - start < SECONDS_PER_FILE
