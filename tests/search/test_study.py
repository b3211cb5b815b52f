"""The study: rejected candidates are kept, killed studies go on as if nothing had happened."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.search.study_runs import finish, kill_when, start
from tinyforge.api.search import check_folder
from tinyforge.errors import UsageError
from tinyforge.search.feasibility import Cost
from tinyforge.search.files import save_json
from tinyforge.search.page import study_page
from tinyforge.search.settings import SETTINGS, SearchSettings
from tinyforge.search.space import Candidate
from tinyforge.search.storage import open_peers, study_place
from tinyforge.search.trial import Trial, finalists, pareto, spread

pytest.importorskip("optuna")


def test_a_killed_study_ends_like_an_undisturbed_one(tmp_path: Path, expected: dict[str, Any]) -> None:
    folder = tmp_path / "killed"
    judged, kills = folder / "judged.txt", random.Random(time.time_ns())
    before: list[str] = []
    for count in sorted(kills.sample(range(1, 34), 2)):
        killed = start(folder, 0.05)
        kill_when(judged, count, killed)
        after = judged.read_text().split()
        assert after[: len(before)] == before
        before = after
    found = finish(start(folder, 0))
    assert found == expected
    assert found["results"] == 1
    after = judged.read_text().split()
    # What was judged and stored is not judged again; one may have been judged but not stored, each time.
    assert len(after) - len(set(after)) <= 2
    kinds = {
        (accuracy is not None, bool(broken), predicted is not None)
        for _, accuracy, broken, predicted in found["trials"]
    }
    assert {(True, False, False), (False, True, False), (False, False, True), (True, False, True)} <= kinds
    assert all((accuracy is None) or not broken for _, accuracy, broken, _ in found["trials"])


def test_what_was_judged_is_kept_though_its_trial_was_not_finished(tmp_path: Path, expected: dict[str, Any]) -> None:
    folder = tmp_path / "late"
    killed = start(folder, 0, dies_after=9)
    killed.communicate(timeout=120)
    assert killed.returncode == -signal.SIGKILL
    assert finish(start(folder, 0)) == expected
    after = (folder / "judged.txt").read_text().split()
    assert len(after) == len(set(after))


def test_processes_share_a_study_and_one_is_killed(tmp_path: Path, expected: dict[str, Any]) -> None:
    folder = tmp_path / "shared"
    programs = [start(folder, 0.05, "-", 2) for _ in range(2)]
    kill_when(folder / "judged.txt", 12, programs[1])
    assert finish(programs[0]) == expected
    after = (folder / "judged.txt").read_text().split()
    assert len(after) - len(set(after)) <= 1


@pytest.mark.long
def test_a_study_of_one_process_goes_on_with_several(tmp_path: Path, expected: dict[str, Any]) -> None:
    folder = tmp_path / "grown"
    kill_when(folder / "judged.txt", 8, start(folder, 0.05))
    assert finish(start(folder, 0, "-", 2)) == expected


def test_a_second_process_is_refused_where_there_may_be_one(tmp_path: Path) -> None:
    place = study_place(tmp_path, None)
    with open_peers(place), pytest.raises(UsageError, match="--workers 2"):
        open_peers(place)
    with open_peers(place):
        assert study_place(tmp_path, None) == place
    with pytest.raises(UsageError, match="is kept in sqlite"):
        study_place(tmp_path, "postgresql://somewhere/else")
    with pytest.raises(UsageError, match="give sqlite:///FILE"):
        study_place(tmp_path, "mysql://somewhere")


def test_a_folder_is_of_one_study_also_where_an_option_came_later(tmp_path: Path) -> None:
    settings = SearchSettings(sram=8192)
    facts = {name: value for name, value in settings.as_json().items() if name != "teacher"}
    save_json(tmp_path / SETTINGS, facts)
    check_folder(tmp_path, settings)
    with pytest.raises(UsageError, match="a study with other options"):
        check_folder(tmp_path, SearchSettings(sram=8192, teacher="resnet18"))
    (tmp_path / SETTINGS).rename(tmp_path / "mine.json")
    with pytest.raises(UsageError, match="holds no study"):
        check_folder(tmp_path, settings)


def test_passwords_stay_out_of_the_folder(tmp_path: Path) -> None:
    url = "postgresql://me:secret@host:5432/search"
    assert study_place(tmp_path, url).url == url
    assert "secret" not in (tmp_path / "storage.json").read_text()
    assert study_place(tmp_path, None).url == "postgresql://me@host:5432/search"


def trial(number: int, accuracy: float, arena: int) -> Trial:
    return Trial(number, Candidate((number,)), Cost(arena, 0, arena, 0, 1.0), accuracy, {})


def test_the_first_finalist_is_the_largest_of_the_most_accurate() -> None:
    trials = [trial(0, 0.9, 100), trial(1, 0.9, 400), trial(2, 0.8, 50), trial(3, 0.7, 20)]
    front = pareto(trials, ("arena_bytes",))
    assert [t.number for t in front] == [0, 2, 3]
    assert [t.number for t in finalists(trials, front, 1)] == [1]
    assert [t.number for t in finalists(trials, front, 3)] == [1, 0, 3]
    assert [t.number for t in finalists(trials, front, 9)] == [1, 0, 2, 3]
    assert [t.number for t in finalists(front, front, 2)] == [0, 2]


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
