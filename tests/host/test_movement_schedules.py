"""Networks full of operators that move elements, under random schedules: in the interpreter and in generated C."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.native import Job, run_jobs
from tests.search.movement_graphs import random_movement_graph
from tests.search.random_graphs import random_schedule, run_whole
from tinyforge.codegen.generate import lower_graph
from tinyforge.interp.run_schedule import run_schedule
from tinyforge.ir.types import Array
from tinyforge.memory.plan import plan_memory
from tinyforge.schedule.layerwise import layerwise

BATCHES, NETWORKS = 3, 12


def batch(seed: int) -> tuple[list[Job], list[Array]]:
    """Jobs and the outputs they must give."""
    rng = np.random.default_rng(3000 + seed)
    jobs, expected = [], []
    for number in range(NETWORKS):
        graph = random_movement_graph(rng, int(rng.integers(2, 9)))
        data = rng.integers(-128, 128, graph.tensors["t0"].shape).astype(np.int8)
        schedule = layerwise(graph) if number % 6 == 0 else random_schedule(rng, graph)
        jobs.append(Job(graph, schedule, plan_memory(graph, schedule, lower_graph(graph), effort=50), data))
        expected.append(run_whole(graph, {"t0": data})[graph.outputs[0]])
    return jobs, expected


@pytest.mark.parametrize("seed", range(BATCHES))
def test_generated_c_equals_whole_layers(seed: int, tmp_path: Path) -> None:
    jobs, expected = batch(seed)
    for number, (answer, whole, job) in enumerate(zip(run_jobs(tmp_path, jobs), expected, jobs, strict=True)):
        np.testing.assert_array_equal(
            answer.outputs[job.graph.outputs[0]], whole, err_msg=f"model n{number} in {tmp_path}: {job.schedule}"
        )
        assert answer.touched_bytes == job.plan.arena_bytes


@pytest.mark.parametrize("seed", range(BATCHES + 1))
def test_interpreter_equals_whole_layers(seed: int) -> None:
    for job, whole in zip(*batch(100 + seed), strict=True):
        got = run_schedule(job.graph, job.schedule, job.plan, {"t0": job.data}, seed=seed)
        np.testing.assert_array_equal(got[job.graph.outputs[0]], whole, err_msg=str(job.schedule))
