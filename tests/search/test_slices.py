"""Channel slices: piece by piece and slice by slice in the planned arena == whole layers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.search.random_graphs import run_whole
from tests.search.sliced_graphs import sliced_graph, sliced_schedule, unsliced
from tinyforge.codegen.generate import lower_graph
from tinyforge.interp.run_schedule import run_schedule
from tinyforge.ir.memory_plan import LayoutKind
from tinyforge.ir.program import Isa
from tinyforge.ir.schedule import FusedStage, Schedule
from tinyforge.memory.plan import plan_memory
from tinyforge.ops.channel_slices import calls_as_run, sliceable


@pytest.mark.parametrize("seed", range(24))
def test_slices_equal_whole_layers(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sliced = sliced_graph(rng)
    graph, calls = sliced.graph, lower_graph(sliced.graph)
    inputs = {"t0": rng.integers(-128, 128, graph.tensors["t0"].shape).astype(np.int8)}
    expected = run_whole(graph, inputs)
    for _ in range(3):
        schedule = sliced_schedule(rng, sliced)
        plan = plan_memory(graph, schedule, calls, effort=200)
        got = run_schedule(graph, schedule, plan, inputs, seed=seed)
        for name in graph.outputs:
            np.testing.assert_array_equal(got[name], expected[name], err_msg=str(schedule))
        stage = next(s for s in schedule.stages if isinstance(s, FusedStage))
        whole = plan_memory(graph, unsliced(schedule), calls, effort=200)
        for i in range(stage.first, stage.last):
            name = graph.nodes[i].outputs[0]
            assert plan.placements[name].nbytes * stage.slices == whole.placements[name].nbytes


@pytest.mark.parametrize("isa", Isa)
def test_tables_of_slices_hold_what_the_whole_ones_do(isa: Isa) -> None:
    """No constant is there twice: flash stays as it is."""
    for seed in range(30):
        rng = np.random.default_rng(seed)
        sliced = sliced_graph(rng, 4)
        calls = lower_graph(sliced.graph, isa)
        run = calls_as_run(sliced.graph, sliced_schedule(rng, sliced, 4), calls)
        for whole, part in zip(calls, run, strict=True):
            assert [t.nbytes for t in whole.tables] == [t.nbytes for t in part.tables]
            assert whole.scratch_bytes == part.scratch_bytes


def test_what_cannot_be_sliced_is_refused() -> None:
    rng = np.random.default_rng(0)
    sliced = sliced_graph(rng)
    graph, calls = sliced.graph, lower_graph(sliced.graph)
    assert sliceable(graph, sliced.first, sliced.last)
    assert not sliceable(graph, sliced.first, sliced.last + 1)
    assert not sliceable(graph, sliced.first, sliced.first)
    assert not sliceable(graph, sliced.first - 1, sliced.last)
    schedule = sliced_schedule(rng, sliced)

    def other(**changes: object) -> Schedule:
        stages = [replace(s, **changes) if isinstance(s, FusedStage) else s for s in schedule.stages]  # type: ignore[arg-type]
        return replace(schedule, stages=tuple(stages))

    for wrong in (other(slices=2 * sliced.channels), other(slices=sliced.channels)):  # not whole, and one channel each
        with pytest.raises(ValueError, match="slices"):
            plan_memory(graph, wrong, calls)
    with pytest.raises(ValueError, match="slice of channels by slice"):
        plan_memory(graph, replace(schedule, stages=(FusedStage(0, 1, 1, 1, slices=2), *schedule.stages[2:])), calls)


def test_every_layout_is_drawn() -> None:
    seen = set()
    for seed in range(40):
        rng = np.random.default_rng(seed)
        sliced = sliced_graph(rng)
        calls = lower_graph(sliced.graph)
        for _ in range(3):
            plan = plan_memory(sliced.graph, sliced_schedule(rng, sliced), calls, effort=0)
            seen |= {p.layout.kind for p in plan.placements.values()}
        seen |= {call.kernel for call in calls[sliced.first : sliced.last + 1]}
    assert seen >= set(LayoutKind)
    assert seen >= {"tf_depthwise_planar_s8", "tf_depthwise_s8", "tf_lookup_s8", "tf_conv2d_packed_s8"}
