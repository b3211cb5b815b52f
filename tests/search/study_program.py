"""Runs a small study in a folder: real candidates, real costs, and a made-up accuracy that takes a while.

    python -m tests.search.study_program FOLDER [SECONDS A CANDIDATE]

Prints the front as JSON. Killed at any moment and started again it goes on.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from tinyforge.search.architecture import architecture
from tinyforge.search.feasibility import BoardLimits, Cost, checked_cost
from tinyforge.search.space import Candidate
from tinyforge.search.space_file import load_space
from tinyforge.search.study import Plan, Study, open_storage, storage_url

SHAPE = (28, 28, 1)
LIMITS = BoardLimits(6000, 22_000)
PLAN = Plan(evaluations=14, objectives=("arena_bytes",), population=6, seed=3)


def main(folder: Path, pause: float) -> None:
    space = load_space("tiny").for_data(SHAPE)
    study = Study(space, LIMITS, PLAN, open_storage(storage_url(folder, 1)))

    def cost(candidate: Candidate) -> Cost:
        return checked_cost(architecture(space, candidate, SHAPE, 10), LIMITS)

    def accuracy(candidate: Candidate) -> float:
        time.sleep(pause)
        with (folder / "judged.txt").open("a") as file:
            file.write(f"{candidate.key}\n")
        return 1 - 1 / (1 + architecture(space, candidate, SHAPE, 10).macs ** 0.5)

    study.run(cost, accuracy, lambda what, done=0, total=0: None)
    trials = [(t.candidate.key, t.accuracy, sorted(t.broken)) for t in study.trials()]
    print(json.dumps({"front": [t.as_json() for t in study.front()], "trials": trials}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 0.0)
