from __future__ import annotations

import numpy as np
import pytest

from tests.search.random_graphs import random_graph, run_whole
from tinyforge.errors import DoesNotFit, UsageError
from tinyforge.interp.run_schedule import run_schedule
from tinyforge.ir.graph import Graph
from tinyforge.ir.program import KernelCall
from tinyforge.ir.schedule import FusedStage, Halo
from tinyforge.ops.base import Op
from tinyforge.schedule.cycles import NodeCost
from tinyforge.schedule.optimise import Options, optimise


def lowered(graph: Graph) -> list[KernelCall]:
    return [n.op.lower(graph.ins(n), graph.outs(n)) for n in graph.nodes if isinstance(n.op, Op)]


@pytest.mark.parametrize("seed", range(25))
def test_smallest_schedule_is_exact_and_no_worse_than_layer_by_layer(seed: int) -> None:
    rng = np.random.default_rng(1000 + seed)
    graph = random_graph(rng, int(rng.integers(3, 9)))
    calls = lowered(graph)
    whole = optimise(graph, calls, options=Options(schedule="layerwise"))
    small = optimise(graph, calls, options=Options("sram", max_mac_factor=1.5))
    assert small.plan.arena_bytes <= whole.plan.arena_bytes
    assert small.mac_factor <= 1.5
    assert small.lower_bound <= small.plan.arena_bytes
    inputs = {"t0": rng.integers(-128, 128, graph.tensors["t0"].shape).astype(np.int8)}
    got = run_schedule(graph, small.schedule, small.plan, inputs)
    for name, expected in run_whole(graph, inputs).items():
        np.testing.assert_array_equal(got[name], expected)


@pytest.mark.parametrize("seed", range(10))
def test_the_fastest_schedule_that_fits(seed: int) -> None:
    rng = np.random.default_rng(2000 + seed)
    graph = random_graph(rng, 7)
    calls = lowered(graph)
    whole = optimise(graph, calls, options=Options(schedule="layerwise"))
    small = optimise(graph, calls, options=Options("sram", max_mac_factor=4.0))
    roomy = optimise(graph, calls, whole.plan.arena_bytes)
    assert roomy.schedule == whole.schedule or roomy.estimated_cycles < whole.estimated_cycles
    if small.plan.arena_bytes < whole.plan.arena_bytes:
        limit = (small.plan.arena_bytes + whole.plan.arena_bytes) // 2
        fitting = optimise(graph, calls, limit)
        assert fitting.plan.arena_bytes <= limit
        assert fitting.executed_macs <= max(small.executed_macs, whole.executed_macs)
        fused = any(isinstance(s, FusedStage) for s in fitting.schedule.stages)
        assert fused or sum(c.scratch_bytes for c in fitting.calls) < sum(c.scratch_bytes for c in calls)


def test_refusal_says_what_where_limit_and_what_to_try() -> None:
    graph = random_graph(np.random.default_rng(3), 6)
    with pytest.raises(
        DoesNotFit, match=r"^random: needs [\d,]+ B of SRAM, tiny has 16 B for it \(peak at step .*; try "
    ):
        optimise(graph, lowered(graph), 16, where="tiny")


def test_a_limit_of_estimated_cycles() -> None:
    kept = 0
    for seed in range(8):
        graph = random_graph(np.random.default_rng(3000 + seed), 7)
        calls = lowered(graph)
        layers = optimise(graph, calls, options=Options(schedule="layerwise")).estimated_cycles
        small = optimise(graph, calls, options=Options("sram", max_mac_factor=1.5))
        if small.estimated_cycles <= 1.02 * layers:
            continue
        limit = 1 + 0.5 * (small.estimated_cycles / layers - 1)
        quick = optimise(graph, calls, options=Options("sram", max_mac_factor=1.5, max_cycle_factor=limit))
        assert quick.estimated_cycles <= limit * layers
        assert quick.plan.arena_bytes >= small.plan.arena_bytes
        kept += 1
    assert kept
    with pytest.raises(DoesNotFit, match=r"times the estimated cycles of layer by layer.*--max-cycle-factor"):
        optimise(graph, calls, options=Options("sram", input="rows", max_cycle_factor=1.0))


def test_cost_of_segments() -> None:
    cost = NodeCost((0.0, 10.0, 18.0), 0)
    assert cost.of(4, 6) == 2 * 10 + 2 * 18
    assert cost.of(1, 5) == 10 + 2 * 18  # warm-up pieces: more pixels than the rows of the map hold
    assert cost.of(0, 0) == 0


@pytest.mark.parametrize(
    "family, fed", [("patch", False), ("stream", False), ("stream", True), ("msf", False), ("msf", True)]
)
def test_families_of_other_tools_are_exact(family: str, fed: bool) -> None:
    fused = 0
    for seed in range(6):
        rng = np.random.default_rng(4000 + seed)
        graph = random_graph(rng, 6)
        calls = lowered(graph)
        try:
            found = optimise(graph, calls, options=Options("sram", family, 1.5, "rows" if fed else "whole"))
        except DoesNotFit:
            assert fed, "layer by layer is of every family whose input is whole"
            continue
        if not fed:
            whole = optimise(graph, calls, options=Options(schedule="layerwise"))
            assert found.plan.arena_bytes <= whole.plan.arena_bytes
        assert found.mac_factor <= 1.5
        stages = [s for s in found.schedule.stages if isinstance(s, FusedStage)]
        fused += len(stages)
        for stage in stages:
            assert family == "msf" or stage.first == 0
            assert family != "msf" or (stage.patch_h, stage.patch_w) == (1, 1)
            rows = {mode.rows for _, mode in stage.modes}
            assert rows <= ({Halo.RECOMPUTE, Halo.CACHE} if family == "stream" else {Halo.RECOMPUTE})
        inputs = {"t0": rng.integers(-128, 128, graph.tensors["t0"].shape).astype(np.int8)}
        got = run_schedule(graph, found.schedule, found.plan, inputs)
        for name, expected in run_whole(graph, inputs).items():
            np.testing.assert_array_equal(got[name], expected)
    assert fused > 0


def test_wishes_that_make_no_sense() -> None:
    with pytest.raises(UsageError, match="objective"):
        Options("speed")
    with pytest.raises(UsageError, match="schedule"):
        Options(schedule="best")
    with pytest.raises(UsageError, match="MAC factor"):
        Options(max_mac_factor=0.5)
    with pytest.raises(UsageError, match="cycle factor"):
        Options(max_cycle_factor=0.9)
