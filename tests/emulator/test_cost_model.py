"""The scheduler's estimates beside what the emulator counts: they rank schedules, so their ratios must agree."""

from __future__ import annotations

from pathlib import Path

import pytest

import tinyforge
from tests.shared import DIGITS
from tinyforge.api.network import read_network
from tinyforge.codegen.generate import lower_graph
from tinyforge.schedule.optimise import Options, optimise

LIMITS = (24576, 12288, 8192, 7168)
RANKED = 0.15  # largest error of a ratio between two schedules of one network
ABSOLUTE = (0.8, 1.25)  # estimate over count, all schedules


@pytest.mark.slow
def test_estimates_rank_schedules_as_counts_do(tmp_path: Path) -> None:
    graph = read_network(DIGITS, "int8").graph
    calls = lower_graph(graph)
    ratios = []
    for limit in LIMITS:
        found = optimise(graph, calls, limit, Options(), where="emulated_m7")
        built = tinyforge.compile(DIGITS, board="emulated_m7", sram=limit, out=tmp_path / str(limit))
        assert built.info.arena_bytes == found.plan.arena_bytes
        counted = tinyforge.run(built.out, samples=1).result.instructions
        ratios.append(found.estimated_cycles / counted)
    assert max(ratios) / min(ratios) <= 1 + RANKED, ratios
    assert all(ABSOLUTE[0] <= ratio <= ABSOLUTE[1] for ratio in ratios), ratios
