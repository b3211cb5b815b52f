"""``tinyforge run --on board`` on a dataset: figures, several boards at once, a cable that is pulled, resuming."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.board.cable import Cable
from tests.cli.runner import Outcome, tinyforge_command
from tests.shared import DIGITS, DIGITS_GOLDEN
from tinyforge.api.compile import compile as compile_model
from tinyforge.api.flash import flash
from tinyforge.api.fleet import Place, pair
from tinyforge.api.latency import latency
from tinyforge.api.run import run
from tinyforge.device.client import DeviceClient
from tinyforge.device.emulate.process import booted
from tinyforge.device.flash.emulated import flash_file
from tinyforge.device.transport import SerialTransport
from tinyforge.errors import DeviceError, UsageError
from tinyforge.target import load_board

BOARD = "emulated_m4"
SAMPLES = 12
DATA = ("--inputs", DIGITS_GOLDEN, "--reference", DIGITS_GOLDEN, "--samples", SAMPLES)
needs_qemu = pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="no qemu-system-arm")
QEMU = (pytest.mark.qemu, needs_qemu)
LINES = [
    pytest.param(BOARD, "unicorn", False, id="unicorn-socket"),
    pytest.param(BOARD, "unicorn", True, id="unicorn-pty", marks=pytest.mark.long),
    pytest.param("stm32f405", "qemu", False, id="qemu-socket", marks=(*QEMU, pytest.mark.long)),
    pytest.param("stm32f405", "qemu", True, id="qemu-pty", marks=QEMU),
]


def long(line: Any) -> Any:
    """The same line, only in the long tests."""
    return pytest.param(*line.values, id=line.id, marks=(*line.marks, pytest.mark.long))


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Digits, compiled once, flashed to every board the tests use, with a counter of each operator."""
    out = compile_model(DIGITS, board=BOARD, out=tmp_path_factory.mktemp("digits") / "build").out
    for name in (BOARD, "emulated_m7", "stm32f405"):
        flash(out, board=name, method="emulated", profile=True)
    return out


@contextmanager
def powered(build: Path, name: str, emulator: str) -> Iterator[str]:
    board = load_board(name)
    with booted(board, flash_file(build, board), emulator) as url:
        yield url


def on_board(build: Path, *options: object) -> Outcome:
    return tinyforge_command("run", build, "--on", "board", *options)


def right_share() -> float:
    with np.load(DIGITS_GOLDEN) as file:
        guesses = file["output_0"][:SAMPLES].reshape(SAMPLES, -1).argmax(axis=1)
        return float(np.mean(guesses == file["labels"][:SAMPLES]))


@pytest.mark.parametrize("name, emulator, terminal", LINES)
def test_a_dataset_over_the_line(build: Path, name: str, emulator: str, terminal: bool) -> None:
    """As with a board on the desk: the port is all that is known, so the counter's ticks are cycles."""
    with powered(build, name, emulator) as url:
        cable = Cable(url, terminal=terminal)
        done = on_board(build, "--board", name, "--port", cable.port, "--profile", *DATA, "--json")
        cable.pull()
    assert done.code == 0, done.err
    found = done.json
    assert (found["samples"], found["mismatches"], found["accuracy"]) == (SAMPLES, 0, right_share())
    spread = found["latency"]
    assert (spread["unit"], spread["hz"] > 0) == ("cycles", True)
    assert 0 < spread["min"] <= spread["median"] <= spread["p99"] <= spread["max"] < 3 * spread["min"]
    assert found["arena_high_water_bytes"] == found["arena_bytes"]
    assert found["stack_high_water_bytes"] > 0
    parts = sum(layer["cycles"] for layer in found["layers"])
    assert 0.9 * found["cycles"] < parts <= found["cycles"]


def test_latency_is_told_for_people(build: Path) -> None:
    done = on_board(build, *DATA)
    assert "an inference" in done.out
    assert "p99" in done.out
    assert f"{right_share():.2%} of {SAMPLES} labels" in done.out


def test_ranks_are_values_that_happened() -> None:
    assert latency((), 0) is None
    found = latency(range(1, 201), 1_000_000)
    assert found is not None
    assert (found.min, found.median, found.p99, found.max) == (1, 100, 198, 200)
    assert found.milliseconds(found.max) == 0.2
    assert latency((7,), 0).as_json() == {"unit": "instructions", "hz": 0, "min": 7, "median": 7, "p99": 7, "max": 7}  # type: ignore[union-attr]


@pytest.mark.parametrize("name, emulator, terminal", [LINES[0], *(long(line) for line in LINES[1:])])
def test_an_unplugged_board_is_a_clear_error_and_the_run_goes_on_later(
    build: Path, name: str, emulator: str, terminal: bool
) -> None:
    flags = ("--board", name, *DATA)
    with powered(build, name, emulator) as url:
        cable = Cable(url, terminal=terminal, pull_after=1200)
        broken = on_board(build, "--port", cable.port, *flags)
        assert broken.code == DeviceError.exit_code
        assert f"{name}: {cable.port}: the line broke" in broken.err
        kept = int(broken.err.split(f" of {SAMPLES} samples are kept")[0].split()[-1])
        assert 0 < kept < SAMPLES
        assert "--resume" in broken.err
        before = frames(url)
        cable = Cable(url, terminal=terminal)
        done = on_board(build, "--port", cable.port, *flags, "--resume", "--json")
        cable.pull()
        resumed = frames(url) - before
        cable = Cable(url, terminal=terminal)
        assert on_board(build, "--port", cable.port, *flags).code == 0
        cable.pull()
        whole = frames(url) - before - resumed
    assert (done.code, done.json["mismatches"], done.json["samples"]) == (0, 0, SAMPLES)
    assert resumed < whole


def frames(url: str) -> int:
    """Requests the board has read since reset."""
    client = DeviceClient(SerialTransport(url))
    try:
        return client.stats().frames
    finally:
        client.close()


def test_what_cannot_be_resumed(build: Path, tmp_path: Path) -> None:
    assert on_board(build, *DATA).code == 0
    other = on_board(build, "--inputs", DIGITS_GOLDEN, "--samples", 3, "--resume")
    assert (other.code, "is of another run" in other.err) == (2, True)
    for wrong in (
        tinyforge_command("run", build, "--resume"),
        tinyforge_command("run", DIGITS, "--on", "board", "--resume"),
    ):
        assert (wrong.code, "--resume goes on with" in wrong.err) == (2, True)
    whole = on_board(build, *DATA, "--resume", "--json")
    assert (whole.code, whole.json["samples"]) == (0, SAMPLES)


def test_a_cut_record_and_another_answer(build: Path) -> None:
    """Half a record at the end of the file is dropped; a board that answers otherwise is no board to go on with."""
    with np.load(DIGITS_GOLDEN) as file:
        inputs = file["input_0"][:4]
    board = load_board(BOARD)
    path = flash_file(build, board).with_name("run0.samples")
    assert run(build, on="board", inputs=[inputs]).ok
    content = path.read_bytes()
    path.write_bytes(content[:-3])
    assert run(build, on="board", inputs=[inputs], resume=True).ok
    assert path.read_bytes()[: len(content) - 26] == content[: len(content) - 26]
    end_of_header = content.index(b"\n") + 1
    record = (len(content) - end_of_header) // 4
    path.write_bytes(content[:end_of_header] + swapped(content[end_of_header:], record))
    with pytest.raises(DeviceError, match="answers the first sample otherwise"):
        run(build, on="board", inputs=[inputs], resume=True)


def swapped(records: bytes, size: int) -> bytes:
    """The first record with the outputs of another one, its check sum made right."""
    import binascii

    body = records[:12] + records[size + 12 : 2 * size - 4]
    return body + binascii.crc32(body).to_bytes(4, "little") + records[size:]


def test_several_boards_at_once(build: Path) -> None:
    """One at a terminal, one at a socket, one emulated in this process's children; each runs every sample."""
    with powered(build, BOARD, "unicorn") as one, powered(build, BOARD, "unicorn") as two:
        cables = Cable(one, terminal=True), Cable(two)
        ports = [word for cable in cables for word in ("--port", cable.port)]
        done = on_board(build, *ports, *DATA, "--json")
        for cable in cables:
            cable.pull()
    assert done.code == 0, done.err
    entries = done.json["boards"]
    assert [entry["port"] for entry in entries] == [cable.port for cable in cables]
    assert {(e["board"], e["samples"], e["mismatches"], e["accuracy"]) for e in entries} == {
        (BOARD, SAMPLES, 0, right_share())
    }
    pair_of_kinds = ("--board", BOARD, "--board", "emulated_m7")
    done = on_board(build, *pair_of_kinds, *DATA)
    assert done.code == 0
    assert done.out.count(f"{right_share():.2%}") == 2
    done = on_board(build, *pair_of_kinds, *DATA, "--resume", "--json")
    assert [entry["board"] for entry in done.json["boards"]] == [BOARD, "emulated_m7"]


def test_one_of_several_boards_goes_away(build: Path) -> None:
    """The other one runs to its end; with --resume only what is missing runs again."""
    with powered(build, BOARD, "unicorn") as one, powered(build, BOARD, "unicorn") as two:
        ports = [Cable(one, pull_after=1200).port, Cable(two).port]
        done = on_board(build, *(word for port in ports for word in ("--port", port)), *DATA)
        assert done.code == DeviceError.exit_code
        assert "failed" in done.out
        assert f"{BOARD} at {ports[0]}: {BOARD}: {ports[0]}: the line broke" in done.err
        assert ports[1] not in done.err
        before = frames(two)
        ports = [Cable(one).port, Cable(two).port]
        again = on_board(build, *(word for port in ports for word in ("--port", port)), *DATA, "--resume", "--json")
        assert again.code == 0
        assert [entry["mismatches"] for entry in again.json["boards"]] == [0, 0]
        assert frames(two) - before < 30


def test_pairs_of_boards_and_ports() -> None:
    assert pair([], ["a", "b"], "x") == [Place("x", "a"), Place("x", "b")]
    assert pair(["y"], ["a", "b"], "x") == [Place("y", "a"), Place("y", "b")]
    assert pair(["y", "z"], ["a", "b"], "x") == [Place("y", "a"), Place("z", "b")]
    assert pair(["y", "z"], [], "x") == [Place("y"), Place("z")]
    with pytest.raises(UsageError, match="2 boards, 1 ports"):
        pair(["y", "z"], ["a"], "x")
    with pytest.raises(UsageError, match="named twice"):
        pair([], ["a", "a"], "x")


def test_several_boards_need_on_board(build: Path) -> None:
    done = tinyforge_command("run", build, "--board", BOARD, "--board", "emulated_m7")
    assert (done.code, "several boards run with --on board" in done.err) == (2, True)
