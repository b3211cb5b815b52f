"""Every operator's conformance cases, and networks under schedules of pieces, on emulated cores."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

import numpy as np
import pytest

import tests.ops
from tests.arm_models import ArmModel, ArmModels
from tests.c_host import layerwise, stacked_plan
from tests.ops.conformance import Case, OpConformance, assert_equal, compute_graph
from tests.search.movement_graphs import random_movement_graph
from tests.search.random_graphs import random_graph, random_schedule, run_whole
from tinyforge.codegen.generate import lower_graph
from tinyforge.errors import ToolMissing
from tinyforge.memory.plan import plan_memory
from tinyforge.target import load_board

CASES_PER_OPERATOR = 7
NETWORKS = 12
TARGETS = [
    ("emulated_m0plus", "zig", "O2"),
    ("emulated_m3", "zig", "O2"),
    ("emulated_m4", "zig", "O2"),
    ("emulated_m7", "zig", "O3"),
    ("emulated_m33", "zig", "Os"),
    ("emulated_m0plus", "gcc", "Os"),
    ("emulated_m7", "gcc", "O2"),
]


def suites() -> list[type[OpConformance]]:
    """Every conformance suite of tests/ops, in the order of their files and names."""
    found = []
    for module in sorted(m.name for m in pkgutil.iter_modules(tests.ops.__path__) if m.name.startswith("test_")):
        members = vars(importlib.import_module(f"tests.ops.{module}")).values()
        found += [c for c in members if isinstance(c, type) and issubclass(c, OpConformance) and c is not OpConformance]
    return list(dict.fromkeys(found))


def sampled_cases() -> list[Case]:
    """Some cases of every suite, spread evenly."""
    chosen: list[Case] = []
    for suite in suites():
        cases = [c for c in suite().cases(np.random.default_rng(suite.seed)) if not c.no_c]
        chosen += cases[:: max(1, len(cases) // CASES_PER_OPERATOR)][:CASES_PER_OPERATOR]
    return chosen


def load(folder: Path, models: list[ArmModel], target: tuple[str, str, str]) -> ArmModels:
    board, toolchain, optimize = target
    try:
        return ArmModels(folder, models, load_board(board), toolchain, optimize)
    except ToolMissing as error:
        if "was not found" in str(error):
            pytest.skip(str(error))
        raise


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS, ids="-".join)
def test_operators_equal_their_reference(target: tuple[str, str, str], tmp_path: Path) -> None:
    cases = sampled_cases()
    assert len({type(c.graph.nodes[0].op) for c in cases}) > 30
    models = [ArmModel(c.graph, layerwise(c.graph), stacked_plan(c.graph)) for c in cases]
    loaded = load(tmp_path, models, target)
    for index, case in enumerate(cases):
        assert_equal(loaded.run(index, case.inputs), compute_graph(case.graph, case.inputs), case, f"m{index}")


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS, ids="-".join)
def test_pieces_equal_whole_layers(target: tuple[str, str, str], tmp_path: Path) -> None:
    rng = np.random.default_rng(TARGETS.index(target))
    models, inputs = [], []
    for number in range(NETWORKS):
        graph = (random_movement_graph if number % 3 == 0 else random_graph)(rng, int(rng.integers(3, 9)))
        schedule = random_schedule(rng, graph)
        if schedule.input_rows:
            continue
        models.append(ArmModel(graph, schedule, plan_memory(graph, schedule, lower_graph(graph), effort=50)))
        inputs.append(rng.integers(-128, 128, graph.tensors["t0"].shape).astype(np.int8))
    loaded = load(tmp_path, models, target)
    for index, (model, data) in enumerate(zip(models, inputs, strict=True)):
        expected = run_whole(model.graph, {"t0": data})
        for name, got in zip(model.graph.outputs, loaded.run(index, [data]), strict=True):
            np.testing.assert_array_equal(got, expected[name], err_msg=f"m{index}: {model.schedule}")
