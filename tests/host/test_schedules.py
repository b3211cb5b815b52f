"""Random networks under random schedules: generated C under sanitizers == whole layers, arena bytes as planned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.native import Job, run_jobs
from tests.search.random_graphs import random_graph, random_schedule, run_whole
from tinyforge.codegen.generate import lower_graph
from tinyforge.ir.types import Array
from tinyforge.memory.plan import plan_memory
from tinyforge.schedule.layerwise import layerwise

BATCHES, NETWORKS = 15, 20


def batch(seed: int) -> tuple[list[Job], list[dict[str, Array]]]:
    """Jobs and the outputs they must give."""
    rng = np.random.default_rng(1000 + seed)
    jobs, expected = [], []
    for _ in range(NETWORKS):
        graph = random_graph(rng, int(rng.integers(2, 9)))
        data = rng.integers(-128, 128, graph.tensors[graph.inputs[0]].shape).astype(np.int8)
        whole = run_whole(graph, {graph.inputs[0]: data})
        calls = lower_graph(graph)
        schedules = [random_schedule(rng, graph)] + ([layerwise(graph)] if rng.random() < 0.2 else [])
        for schedule in schedules:
            jobs.append(Job(graph, schedule, plan_memory(graph, schedule, calls, effort=200), data))
            expected.append(whole)
    return jobs, expected


@pytest.mark.parametrize("seed", range(BATCHES))
def test_generated_c_equals_whole_layers(seed: int, tmp_path: Path) -> None:
    jobs, expected = batch(seed)
    for number, (answer, whole, job) in enumerate(zip(run_jobs(tmp_path, jobs), expected, jobs, strict=True)):
        for name, data in whole.items():
            message = f"model n{number} in {tmp_path}: {job.schedule}"
            np.testing.assert_array_equal(answer.outputs[name], data, err_msg=message)
        assert answer.touched_bytes <= job.plan.arena_bytes
