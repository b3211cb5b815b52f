"""`compile --tune`: the best of the measured candidates is what comes out, and nothing is measured twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.runner import tinyforge_command
from tests.shared import DIGITS, DIGITS_GOLDEN
from tinyforge.api.tune import Candidate, Trial, _best, tune
from tinyforge.device.emulate import run as emulation
from tinyforge.errors import UsageError


def trial(cost: int, code: int, arena: int = 100) -> Trial:
    return Trial(Candidate("auto", None), cost, code, arena)


@pytest.mark.parametrize(
    "objective, trials, best",
    [
        ("balanced", [trial(10, 5), trial(9, 9), trial(9, 8)], 1),
        ("balanced", [trial(10, 5), trial(10, 4)], 0),
        ("size", [trial(10, 5), trial(9, 9), trial(11, 4)], 2),
        ("sram", [trial(10, 5), trial(8, 5, 101), trial(9, 5, 100)], 2),
    ],
)
def test_objectives_keep_their_meaning(objective: str, trials: list[Trial], best: int) -> None:
    assert _best(trials, objective) is trials[best]


@pytest.mark.long
def test_best_is_built_and_measurements_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"board": "emulated_m4", "sram": "10K"}
    first = tune(DIGITS, out=tmp_path / "first", **options)
    assert first.best.cost == min(t.cost for t in first.trials)
    assert len({t.candidate for t in first.trials}) == len(first.trials) >= 4
    assert first.build.info.arena_bytes == first.best.arena_bytes <= 10 * 1024
    done = tinyforge_command(
        *("run", first.build.out, "--inputs", DIGITS_GOLDEN, "--reference", DIGITS_GOLDEN, "-n", 1, "--json")
    )
    assert done.code == 0, done.err
    assert done.json["estimated_cycles"]["cortex-m4"] == pytest.approx(first.best.cost, rel=0.01)

    def never(*_: object, **__: object) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr(emulation, "run_emulator", never)
    again = tune(DIGITS, out=tmp_path / "again", **options)
    assert again.trials == first.trials
    names = {p.name for p in first.build.out.iterdir() if p.is_file()}
    assert all((again.build.out / n).read_bytes() == (first.build.out / n).read_bytes() for n in names)
    assert again.best == first.best


def test_boards_without_a_counter_are_refused() -> None:
    with pytest.raises(UsageError, match="mps3_an547 is none"):
        tune(DIGITS, board="mps3_an547")
