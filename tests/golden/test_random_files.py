"""Random networks as files: written, run by LiteRT's reference kernels, imported, optimised, run by the oracle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from tests.graph_builder import imported, run_as_file
from tests.search.movement_graphs import random_movement_graph
from tests.search.random_graphs import random_graph
from tests.tflite_writer import litert_outputs, write_tflite
from tinyforge.errors import UnsupportedModel
from tinyforge.ir.graph import Graph
from tinyforge.ir.types import DType

COUNT = 60


def _plain_biases(graph: Graph) -> Graph:
    """Biases without a scale of their own: the reference wants input scale x weight scale or none."""
    tensors = {
        name: replace(t, type=replace(t.type, quant=None)) if t.type.dtype is DType.INT32 else t
        for name, t in graph.tensors.items()
    }
    return replace(graph, tensors=tensors)


@pytest.mark.parametrize("make", [random_graph, random_movement_graph])
def test_random_files(make: Callable[[np.random.Generator, int], Graph]) -> None:
    compared = 0
    for seed in range(COUNT):
        rng = np.random.default_rng(seed)
        graph = _plain_biases(make(rng, int(rng.integers(2, 9))))
        try:
            data = write_tflite(graph)
        except AssertionError:  # a pool whose padding no file can state
            continue
        assert all(graph.tensors[name].type.dtype is DType.INT8 for name in graph.inputs)
        values = [rng.integers(-128, 128, graph.tensors[n].shape).astype(np.int8) for n in graph.inputs]
        try:
            got, want = run_as_file(imported(data), values), litert_outputs(data, values)
        except (
            UnsupportedModel,
            RuntimeError,
        ):  # scales that no converter writes: pools that change them, and the like
            continue
        for a, b in zip(got, want, strict=True):
            np.testing.assert_array_equal(a, b, err_msg=f"seed {seed}")
        compared += 1
    assert compared > COUNT // 6
