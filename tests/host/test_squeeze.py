"""Networks with squeeze-and-excite in two passes: generated C under sanitizers == whole layers, arena as planned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.native import Job, run_jobs
from tests.search.random_graphs import random_schedule, run_whole
from tests.search.squeeze_graphs import squeeze_graph
from tinyforge.codegen.generate import lower_graph
from tinyforge.ir.types import Array
from tinyforge.memory.plan import plan_memory
from tinyforge.schedule.best import best_schedule
from tinyforge.schedule.estimate import Costs
from tinyforge.schedule.options import Options
from tinyforge.schedule.space import make_space
from tinyforge.schedule.squeeze import find_squeezes, repeat

NETWORKS = 4


def batch(seed: int) -> tuple[list[Job], list[Array]]:
    """Best schedules, fed and not, and random ones of both passes; the outputs they must give."""
    rng = np.random.default_rng(5200 + seed)
    jobs, expected = [], []
    for number in range(NETWORKS):
        graph = squeeze_graph(rng, 2, largest=12)
        data = rng.integers(-128, 128, graph.tensors["t0"].shape).astype(np.int8)
        want = run_whole(graph, {"t0": data})[graph.outputs[0]]
        calls = lower_graph(graph)
        options = Options("sram", max_mac_factor=1.8, input="rows" if number % 2 else "whole")
        best = best_schedule(graph, calls, options=options)
        jobs.append(Job(best.graph, best.schedule, best.plan, data, best.calls))
        expected.append(want)
        if number % 2:
            continue
        space = make_space(graph, calls, Costs(graph).all(calls))
        grown, twice = repeat(space, find_squeezes(space, fed=False))
        schedule = random_schedule(rng, grown)
        jobs.append(Job(grown, schedule, plan_memory(grown, schedule, twice, effort=50), data, twice))
        expected.append(want)
    return jobs, expected


@pytest.mark.parametrize("seed", [0, *(pytest.param(i, marks=pytest.mark.long) for i in range(1, 20))])
def test_generated_c_equals_whole_layers(seed: int, tmp_path: Path) -> None:
    jobs, expected = batch(seed)
    assert sum(any(node.repeats for node in job.graph.nodes) for job in jobs) >= 3
    for number, (answer, want, job) in enumerate(zip(run_jobs(tmp_path, jobs), expected, jobs, strict=True)):
        message = f"model n{number} in {tmp_path}: {job.schedule}"
        np.testing.assert_array_equal(answer.outputs[job.graph.outputs[0]], want, err_msg=message)
        assert answer.touched_bytes == job.plan.arena_bytes
