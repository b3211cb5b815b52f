"""Random networks under random schedules: piece by piece in the planned arena == whole layers."""

from __future__ import annotations

import numpy as np
import pytest

from tests.search.random_graphs import random_graph, random_schedule, run_whole
from tinyforge.interp.run_schedule import run_schedule
from tinyforge.ir.memory_plan import LayoutKind
from tinyforge.ir.schedule import FusedStage
from tinyforge.memory.plan import plan_memory
from tinyforge.ops.base import Op
from tinyforge.ops.stage_windows import whole_tensors
from tinyforge.schedule.layerwise import layerwise


@pytest.mark.parametrize("seed", range(120))
def test_schedule_equals_whole_layers(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = random_graph(rng, int(rng.integers(2, 9)))
    calls = [n.op.lower(graph.ins(n), graph.outs(n)) for n in graph.nodes if isinstance(n.op, Op)]
    shape = graph.tensors["t0"].shape
    inputs = {"t0": rng.integers(-128, 128, shape).astype(np.int8)}
    expected = run_whole(graph, inputs)
    for schedule in (layerwise(graph), *(random_schedule(rng, graph) for _ in range(4))):
        plan = plan_memory(graph, schedule, calls, effort=200)
        assert plan.lower_bound <= plan.arena_bytes
        got = run_schedule(graph, schedule, plan, inputs, seed=seed)
        for name in graph.outputs:
            np.testing.assert_array_equal(got[name], expected[name], err_msg=str(schedule))


def test_random_schedules_reach_every_layout() -> None:
    """The generator above is only worth something if it produces all kinds of buffers."""
    seen: set[object] = set()
    for seed in range(120):
        rng = np.random.default_rng(seed)
        graph = random_graph(rng, int(rng.integers(2, 9)))
        calls = [n.op.lower(graph.ins(n), graph.outs(n)) for n in graph.nodes if isinstance(n.op, Op)]
        for _ in range(4):
            schedule = random_schedule(rng, graph)
            plan = plan_memory(graph, schedule, calls, effort=0)
            seen |= {p.layout.kind for p in plan.placements.values()}
            seen |= {"shift" for p in plan.placements.values() if p.layout.shift_cols}
            seen |= {"rows"} if schedule.input_rows else set()
            seen |= {"whole" for s in schedule.stages if isinstance(s, FusedStage) and whole_tensors(graph, s)}
            seen |= {"slices" for s in schedule.stages if isinstance(s, FusedStage) and s.slices > 1}
            seen |= {"fused" for s in schedule.stages if isinstance(s, FusedStage) and s.last - s.first >= 3}
    assert seen >= {*LayoutKind, "shift", "fused", "rows", "whole", "slices"}
