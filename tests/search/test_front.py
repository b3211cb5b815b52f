"""The front of schedules: nothing on it is beaten, both ends are there, and the compiled schedule is marked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.cli.runner import tinyforge_command
from tests.search.squeeze_graphs import squeeze_graph
from tests.shared import DIGITS
from tinyforge.api.network import read_network
from tinyforge.codegen.generate import lower_graph
from tinyforge.reporting.plan_file import load_plan
from tinyforge.schedule.best import best_schedule
from tinyforge.schedule.front import chosen_point, pareto
from tinyforge.schedule.optimise import optimise
from tinyforge.schedule.options import Options


@pytest.mark.parametrize("mode", ["whole", "rows"])
def test_no_point_beats_another(mode: str) -> None:
    graph = read_network(DIGITS, "int8").graph
    calls = lower_graph(graph)
    options = Options("sram", "auto", 1.25, mode, max_cycle_factor=99.0)
    chosen = optimise(graph, calls, None, options)
    points = pareto(graph, calls, options, chosen_point(chosen))
    free = [p for p in points if not p.chosen]
    assert len(points) >= 4
    assert not any(a.beats(b) for a in points for b in free)
    assert [p.arena_bytes for p in points] == sorted((p.arena_bytes for p in points), reverse=True)
    (mark,) = [p for p in points if p.chosen]
    assert (mark.arena_bytes, mark.executed_macs) == (chosen.arena_bytes, chosen.executed_macs)
    assert min(p.arena_bytes for p in points) >= chosen.lower_bound
    layers = optimise(graph, calls, None, Options(schedule="layerwise"))
    if mode == "whole":
        assert points[0].arena_bytes == layers.arena_bytes
        assert points[0].fused_stages == 0


def test_every_point_promises_no_fewer_cycles_than_a_schedule_of_its_bytes_has() -> None:
    """Moves of a plan count: without them three of these points promise up to 0.9 % too little."""
    graph = read_network(DIGITS, "int8").graph
    calls = lower_graph(graph)
    options = Options("balanced", "auto", 1.25, "rows", max_cycle_factor=99.0)
    for point in pareto(graph, calls, options):
        fastest = optimise(graph, calls, point.arena_bytes, options)
        assert fastest.estimated_cycles <= 1.001 * point.estimated_cycles, point


def test_the_front_goes_on_with_squeezes_in_two_passes() -> None:
    graph = squeeze_graph(np.random.default_rng(3), 3)
    calls = lower_graph(graph)
    options = Options("sram", "auto", 1.5, max_cycle_factor=99.0)
    best = best_schedule(graph, calls, None, options)
    points = pareto(graph, calls, options, chosen_point(best))
    assert any(node.repeats for node in best.graph.nodes)
    free = [p for p in points if not p.chosen]
    assert not any(a.beats(b) for a in points for b in free)
    without = optimise(graph, calls, None, options)
    assert best.arena_bytes <= min(p.arena_bytes for p in free) < without.arena_bytes


def test_pareto_on_the_command_line(tmp_path: Path) -> None:
    done = tinyforge_command("compile", DIGITS, "--sram", "12K", "--pareto", "-o", tmp_path / "build", "--json")
    assert done.code == 0, done.err
    points = done.json["pareto"]
    (chosen,) = [p for p in points if p["chosen"]]
    assert chosen["arena_bytes"] == done.json["arena_bytes"] >= done.json["lower_bound_bytes"]
    assert chosen["executed_macs"] == done.json["executed_macs"]
    assert [p.arena_bytes for p in load_plan(tmp_path / "build").front] == [p["arena_bytes"] for p in points]
