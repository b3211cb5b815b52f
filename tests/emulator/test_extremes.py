"""Extreme values on every instruction set: the operators that have kernels of their own for some core, with all inputs
at the lowest value, at the highest, and only at the two, over the conformance suites' weights, zero points and shifts
(all extreme ones among them), as firmware on each emulated core."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.ops import test_binary, test_conv2d, test_depthwise_conv2d, test_fully_connected, test_pool2d, test_softmax
from tests.ops.conformance import Case, OpConformance, assert_equal, compute_graph, random_values
from tests.ops.merged import BOARDS, emulate_samples, merged
from tinyforge.ir.graph import Graph
from tinyforge.ir.types import Array
from tinyforge.target import load_board

SUITES: tuple[type[OpConformance], ...] = (
    test_conv2d.TestConv2D,
    test_depthwise_conv2d.TestDepthwiseConv2D,
    test_depthwise_conv2d.TestAsymmetricWeights,
    test_fully_connected.TestFullyConnected,
    test_binary.TestBinary,
    test_binary.TestReferenceForms,
    test_pool2d.TestAveragePool2D,
    test_pool2d.TestMaxPool2D,
    test_softmax.TestSoftmax,
)
ONLY_EXTREMES, LOWEST, HIGHEST = 1, 2, 3  # styles of random_values
MOST_CASES = 60


def extreme_inputs(graph: Graph, rng: np.random.Generator) -> list[tuple[Array, ...]]:
    """Values of a graph's inputs: samples of one kind each, and with opposite ends where there are two inputs."""
    kinds = [graph.tensors[name].type for name in graph.inputs]
    styles = [[style] * len(kinds) for style in (ONLY_EXTREMES, LOWEST, HIGHEST)]
    styles.append([(LOWEST, HIGHEST)[i % 2] for i in range(len(kinds))])
    return [tuple(random_values(rng, kind, s) for kind, s in zip(kinds, row, strict=True)) for row in styles]


def check(cases: Sequence[Case], board: str, folder: Path) -> None:
    rng = np.random.default_rng(7)
    samples = [extreme_inputs(case.graph, rng) for case in cases]
    stacked = [
        np.stack([sample[i] for sample in of_case])
        for case, of_case in zip(cases, samples, strict=True)
        for i in range(len(case.graph.inputs))
    ]
    outputs = iter(emulate_samples(folder / "build", merged([c.graph for c in cases]), stacked, board))
    for case, of_case in zip(cases, samples, strict=True):
        got = [next(outputs) for _ in case.graph.outputs]
        for number, sample in enumerate(of_case):
            expected = compute_graph(case.graph, sample)
            assert_equal([g[number] for g in got], expected, case, f"{board}, sample {number}")


@pytest.mark.long
@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.__name__)
def test_extreme_values(suite: type[OpConformance], board: str, tmp_path: Path) -> None:
    core = load_board(board).core
    emulator = "qemu-system-riscv32" if core.is_riscv else "qemu-system-arm"
    if not core.unicorn_model and shutil.which(emulator) is None:
        pytest.skip(f"no {emulator}")
    cases = [c for c in suite().cases(np.random.default_rng(suite.seed)) if not c.no_c]
    check(cases[:: -(-len(cases) // MOST_CASES)], board, tmp_path)
