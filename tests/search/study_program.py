"""Works on a small study in a folder: real candidates, real costs, and a made-up accuracy that takes a while.

    python -m tests.search.study_program FOLDER [SECONDS A CANDIDATE] [STORAGE] [WORKERS] [JUDGED]

Prints the front as JSON. Killed at any moment and started again it goes on. With JUDGED it kills itself when so many
candidates were judged, before the last one's trial is finished.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tinyforge.search.architecture import architecture
from tinyforge.search.feasibility import BoardLimits, Cost, cost_of, quick_cost, violations
from tinyforge.search.propose import Plan
from tinyforge.search.space import Candidate
from tinyforge.search.space_file import load_space
from tinyforge.search.storage import study_place
from tinyforge.search.study import OUTCOME, PROPOSED, HerePool, Judge, Study
from tinyforge.search.trial import Judgement

SHAPE = (28, 28, 1)
LIMITS = BoardLimits(6000, 22_000)
PLAN = Plan(evaluations=36, objectives=("arena_bytes",), population=6, seed=3, predictor=True)
SPACE = load_space("tiny").for_data(SHAPE)


def costs(candidate: Candidate) -> Cost:
    """What the fast level says."""
    return quick_cost(architecture(SPACE, candidate, SHAPE, 10), LIMITS)


def slow_judge(folder: Path, pause: float) -> Judge:
    """Made-up accuracies; judged candidates are written down in ``folder``."""

    def judge(candidate: Candidate) -> Judgement:
        network = architecture(SPACE, candidate, SHAPE, 10)
        cost = cost_of(network, LIMITS)
        if violations(cost, LIMITS):
            return Judgement(cost, None)
        time.sleep(pause)
        with (folder / "judged.txt").open("a") as file:
            file.write(f"{candidate.key}\n")
        return Judgement(cost, 1 - 1 / (1 + network.macs**0.5))

    return judge


def untrained(candidate: Candidate) -> float:
    """A made-up score."""
    return float(sum(candidate.values) % 17)


def report(study: Study) -> str:
    """The front, all trials, and how many results Optuna's storage has of each judged candidate at most, as JSON."""
    trials = [(t.candidate.key, t.accuracy, sorted(t.broken), t.predicted) for t in study.trials()]
    stored = Counter(
        tuple(t.user_attrs[PROPOSED]["candidate"])
        for t in study.study.get_trials(deepcopy=False)
        if OUTCOME in t.user_attrs
    )
    return json.dumps(
        {
            "front": [t.as_json() for t in study.front()],
            "trials": trials,
            "correlation": study.correlation(),
            "results": max(stored.values()),
        }
    )


class Dying(Study):
    """Is killed when ``left`` candidates were judged, the last one's trial not being finished."""

    left = 0

    def _tell(self, number: int, outcome: Mapping[str, Any]) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        super()._tell(number, outcome)


def main(folder: Path, pause: float, url: str | None, workers: int, judged: int) -> None:
    study = Dying(SPACE, LIMITS, PLAN, study_place(folder, url, workers))
    study.left = judged
    study.run(costs, HerePool(slow_judge(folder, pause)), lambda what, done=0, total=0: None, untrained)
    print(report(study))


if __name__ == "__main__":
    rest = sys.argv[2:]
    main(
        Path(sys.argv[1]),
        float(rest[0]) if rest else 0.0,
        rest[1] if len(rest) > 1 and rest[1] != "-" else None,
        int(rest[2]) if len(rest) > 2 else 1,
        int(rest[3]) if len(rest) > 3 else 0,
    )
