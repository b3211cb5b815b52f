"""The small study of ``study_program``, its candidates judged on two local Ray nodes of which one is killed.

    python -m tests.search.ray_program FOLDER

Prints the front as JSON, and how many tasks ran on each node.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from functools import partial
from pathlib import Path

from tests.search.study_program import LIMITS, PLAN, SPACE, costs, report, slow_judge, untrained
from tinyforge.search.ray_pool import RayPool
from tinyforge.search.space import Candidate
from tinyforge.search.storage import study_place
from tinyforge.search.study import Judge, Study
from tinyforge.search.trial import Judgement

NOTES = "nodes.txt"
PAUSE_S, LONG_S, BEFORE = 0.1, 6.0, 2
"""A candidate takes so long; on each node the one after ``BEFORE`` takes longer, and that is when a node is killed."""


def noting_judge(folder: Path) -> Judge:
    """Also notes which node began and which ended a candidate."""
    import ray

    node, judge = ray.get_runtime_context().get_node_id(), slow_judge(folder, PAUSE_S)
    ended = 0

    def note(what: str, candidate: Candidate) -> None:
        with (folder / NOTES).open("a") as file:
            file.write(f"{what} {node} {candidate.key}\n")

    def noted(candidate: Candidate) -> Judgement:
        nonlocal ended
        note("began", candidate)
        time.sleep(LONG_S if ended == BEFORE else 0)
        found = judge(candidate)
        note("ended", candidate)
        ended += 1
        return found

    return noted


def main(folder: Path) -> None:
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    lost = cluster.add_node(num_cpus=1)
    pool = RayPool(cluster.address, partial(noting_judge, folder))

    def kill() -> None:
        """At a moment when the node has ended some candidates and works on one."""
        notes = folder / NOTES
        while not notes.is_file() or notes.read_text().count(f"began {lost.node_id}") <= BEFORE:
            time.sleep(0.02)
        cluster.remove_node(lost, allow_graceful=False)

    killer = threading.Thread(target=kill)
    killer.start()
    study = Study(SPACE, LIMITS, PLAN, study_place(folder, None))
    study.run(costs, pool, lambda what, done=0, total=0: None, untrained)
    killer.join()
    pool.close()
    cluster.shutdown()
    print(json.dumps({**json.loads(report(study)), "lost": lost.node_id}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
