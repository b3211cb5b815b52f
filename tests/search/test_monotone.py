"""More room never makes a schedule worse: more MACs no larger, more SRAM no slower."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tests.search.random_graphs import random_graph
from tests.shared import COMPILED, DIGITS, STREAMING, shared_model
from tinyforge.api.network import read_network
from tinyforge.codegen.generate import lower_graph
from tinyforge.errors import DoesNotFit
from tinyforge.ir.graph import Graph
from tinyforge.schedule.best import best_schedule
from tinyforge.schedule.options import Options

FACTORS = (1.0, 1.05, 1.1, 1.25, 1.5)
SIZES = 8
"""SRAM limits tried between the least and a little more than layer by layer."""
SHORT = ("mlperf_ic_resnet8_int8", "con_fmnist_cnn_int8")
MODELS = [pytest.param(n, marks=[] if n in SHORT else pytest.mark.long) for n in (DIGITS, *COMPILED, *STREAMING)]


def check(graph: Graph, fed: str) -> None:
    calls = lower_graph(graph)
    try:
        sizes = [
            best_schedule(graph, calls, None, Options("sram", max_mac_factor=factor, input=fed)).arena_bytes
            for factor in FACTORS
        ]
    except DoesNotFit:
        return  # its input cannot be fed
    assert all(more <= less for less, more in pairwise(sizes))
    layers = best_schedule(graph, calls, None, Options(schedule="layerwise")).arena_bytes
    top = 1.1 * max(layers, *sizes)
    cycles = []
    for step in range(SIZES):
        limit = int(sizes[2] * (top / sizes[2]) ** (step / (SIZES - 1)))
        found = best_schedule(graph, calls, limit, Options(input=fed))
        assert found.arena_bytes <= limit
        cycles.append(found.estimated_cycles)
    assert all(more <= less for less, more in pairwise(cycles))


@pytest.mark.parametrize("fed", ["whole", "rows"])
@pytest.mark.parametrize("model", MODELS)
def test_models(model: str | Path, fed: str) -> None:
    path = model if isinstance(model, Path) else shared_model(model)
    check(read_network(path, "int8").graph, fed)


@pytest.mark.parametrize("seed", range(4))
def test_random_networks(seed: int) -> None:
    check(random_graph(np.random.default_rng(6000 + seed), 8), "rows" if seed % 2 else "whole")
