"""Random networks under random schedules: interpreter == C under sanitizers == C on an emulated core == layer by layer,
and the bytes planned are the bytes touched: the highest one too, and none beyond. ``TINYFORGE_NETWORKS=5000`` runs so
many (default 300), ``TINYFORGE_FIRST_NETWORK=9000`` others than the first ones."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.arm_models import ArmModel, ArmModels
from tests.native import QUICK, Job, run_jobs
from tests.search.networks import Example, examples, plan_for
from tests.search.random_graphs import run_whole
from tinyforge.errors import ToolMissing
from tinyforge.interp.run_schedule import run_schedule
from tinyforge.ir.program import Isa
from tinyforge.ir.schedule import FusedStage
from tinyforge.ir.types import Array
from tinyforge.target import load_board

NETWORKS = int(os.environ.get("TINYFORGE_NETWORKS", "300"))
BATCH = 30
FIRST = int(os.environ.get("TINYFORGE_FIRST_NETWORK", "0")) // BATCH
BOARDS = ("emulated_m4", "emulated_m0plus", "emulated_m3")


def grown(number: int, count: int) -> list[tuple[Example, dict[str, Array]]]:
    """Examples of batch ``number`` with the outputs they must give. The interpreter is held to them on the way, so that
    hypothesis shrinks what it gets wrong."""
    found: list[tuple[Example, dict[str, Array]]] = []

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(examples())
    def grow(example: Example) -> None:
        whole = run_whole(example.graph, {"t0": example.data})
        assert example.plan.lower_bound <= example.plan.arena_bytes
        check(run_schedule(example.graph, example.schedule, example.plan, {"t0": example.data}, seed=number), whole, "")
        found.append((example, whole))

    grow()
    return found


def check(got: dict[str, Array], whole: dict[str, Array], where: str) -> None:
    for name, data in whole.items():
        np.testing.assert_array_equal(got[name], data, err_msg=where)


@pytest.mark.parametrize("number", range(FIRST, FIRST - (-NETWORKS // BATCH)))
def test_schedules_change_nothing(number: int, tmp_path: Path) -> None:
    networks = grown(number, min(BATCH, NETWORKS - (number - FIRST) * BATCH))
    jobs = [Job(e.graph, e.schedule, e.plan, e.data, e.calls) for e, _ in networks]
    answers = run_jobs(tmp_path, jobs, ("-O1", *QUICK))
    core = emulated(tmp_path, [e for e, _ in networks], BOARDS[number % len(BOARDS)])
    for i, ((example, whole), answer) in enumerate(zip(networks, answers, strict=True)):
        where = f"batch {number}, model {i}: {example.graph.nodes} {example.schedule}"
        check(answer.outputs, whole, where)
        outputs = core.run(i, [example.data])
        check(dict(zip(example.graph.outputs, outputs, strict=True)), whole, f"emulator, {where}")
        assert answer.touched_bytes == example.plan.arena_bytes, where
        planned = core.models[i].plan.arena_bytes
        assert core.touched_bytes(i, [example.data]) == core.linked_bytes(i) == planned, f"emulator, {where}"


def emulated(folder: Path, networks: list[Example], board: str) -> ArmModels:
    """All of them in one image, by gcc where it is there (it is the quicker one)."""
    target = load_board(board)
    models = [arm_model(e, target.isa) for e in networks]
    try:
        return ArmModels(folder, models, target, "gcc", "O1")
    except ToolMissing:
        return ArmModels(folder, models, target, "zig", "O1")


def arm_model(example: Example, isa: Isa) -> ArmModel:
    """The example under its schedule, planned for kernels of ``isa`` where those can make slices as small."""
    graph, schedule = example.graph, example.schedule
    slices = max((stage.slices for stage in schedule.stages if isinstance(stage, FusedStage)), default=1)
    if isa is Isa.PORTABLE or (isa is Isa.SCALAR and slices > 1):
        return ArmModel(graph, schedule, example.plan, example.calls)
    plan, calls = plan_for(graph, schedule, isa)
    return ArmModel(graph, schedule, plan, calls)


def test_networks_are_of_every_kind() -> None:
    """What is drawn above is worth something only if it varies."""
    networks = [e for e, _ in grown(0, 60)]
    kinds = {n.op.kind for e in networks for n in e.graph.nodes}
    assert kinds >= {"conv2d", "depthwise_conv2d", "add", "concatenation", "pad", "mean", "max_pool2d"}
    assert sum(any(getattr(s, "slices", 1) > 1 for s in e.schedule.stages) for e in networks) > 1
    assert sum(e.schedule.input_rows for e in networks) > 5
    assert (
        sum(any(isinstance(s, FusedStage) and s.last > s.first + 1 for s in e.schedule.stages) for e in networks) > 10
    )
