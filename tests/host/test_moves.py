"""Buffers that move between stages: every one that could does, in the interpreter and in C."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.native import Job, run_jobs
from tests.search.random_graphs import random_graph, random_schedule, run_whole
from tinyforge.codegen.generate import lower_graph
from tinyforge.interp.run_schedule import run_schedule
from tinyforge.ir.graph import Graph
from tinyforge.ir.memory_plan import MemoryPlan
from tinyforge.ir.schedule import Schedule
from tinyforge.memory.moves import one_a_step
from tinyforge.memory.plan import make_demand, plan_memory
from tinyforge.memory.planner import pack

NETWORKS = 12


def restless_plan(graph: Graph, schedule: Schedule) -> MemoryPlan:
    """A plan in which as many buffers as possible move."""
    demand = make_demand(graph, schedule, lower_graph(graph), share=True)
    demand = demand.cut(one_a_step(demand))
    packing = pack(demand.blocks, demand.overlaps, effort=0)
    return demand.plan(packing, packing.arena_bytes)


def test_moved_buffers_give_what_whole_layers_give(tmp_path: Path) -> None:
    rng = np.random.default_rng(77)
    jobs, expected, shifts = [], [], []
    while len(jobs) < NETWORKS:
        graph = random_graph(rng, int(rng.integers(5, 10)))
        schedule = random_schedule(rng, graph)
        plan = restless_plan(graph, schedule)
        if not plan.moves:
            continue
        data = rng.integers(-128, 128, graph.tensors[graph.inputs[0]].shape).astype(np.int8)
        jobs.append(Job(graph, schedule, plan, data))
        expected.append(run_whole(graph, {graph.inputs[0]: data}))
        shifts += [m.target - m.source for m in plan.moves]
        for name, whole in expected[-1].items():
            got = run_schedule(graph, schedule, plan, {graph.inputs[0]: data})
            np.testing.assert_array_equal(got[name], whole)
    assert min(shifts) < 0 < max(shifts)
    for answer, whole, job in zip(run_jobs(tmp_path, jobs), expected, jobs, strict=True):
        for name, want in whole.items():
            np.testing.assert_array_equal(answer.outputs[name], want, err_msg=str(job.plan.moves))


def test_moves_never_cost_bytes() -> None:
    rng = np.random.default_rng(5)
    gains = 0
    for _ in range(40):
        graph = random_graph(rng, int(rng.integers(5, 10)))
        schedule = random_schedule(rng, graph)
        calls = lower_graph(graph)
        still, moved = (plan_memory(graph, schedule, calls, effort=300, moves=m) for m in (False, True))
        assert moved.lower_bound <= moved.arena_bytes <= still.arena_bytes
        gains += moved.arena_bytes < still.arena_bytes
        if not moved.moves:
            assert moved.arena_bytes == still.arena_bytes
    assert gains
