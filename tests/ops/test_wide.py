"""Weights of 16 bits: every form of the kernels exact, taken only where int8 pairs do not hold the layer and flash
leaves room; the plain kernels they stand in for are still exact."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tinyforge
from tests.c_host import HostModels, stacked_plan
from tests.ops.conformance import Case, activation, assert_equal, compute_graph, constant, make_case, random_quant
from tests.ops.convolutions import with_asymmetric_weights
from tests.ops.merged import emulate, merged
from tests.ops.test_conv2d import conv_case
from tests.ops.test_fully_connected import weight_zero_point_case
from tests.tflite_writer import write_tflite
from tinyforge.codegen.generate import lower_graph
from tinyforge.ir.graph import Tensor
from tinyforge.ir.program import KernelCall
from tinyforge.ir.types import Quant
from tinyforge.ops.base import Activation
from tinyforge.ops.conv2d import Conv2D
from tinyforge.ops.fully_connected import FullyConnected
from tinyforge.ops.packing import is_wide

BOARDS = ("emulated_m0plus", "emulated_m3", "emulated_m7")


def pair_case(rng: np.random.Generator, n_in: int, n_out: int, batch: int = 1) -> Case:
    """-128 before a negative weight, which a lane of 16 bits does not hold."""
    x, data = activation("x", (batch, n_in), random_quant(rng)), rng.integers(-128, 128, (n_out, n_in))
    data[:, :2] = -128
    out = activation("y", (batch, n_out), Quant((float(np.float32(0.02 * n_in)),), (int(rng.integers(-50, 50)),)))
    w = constant("w", data.astype(np.int8), Quant((0.01,), (0,)))
    return make_case(rng, FullyConnected(Activation.NONE), [x, w], [out])


def large_bias_case(rng: np.random.Generator, bias: int, act: Activation, zero: int) -> Case:
    """Sums of more than 23 bits, as behind a squeeze-and-excite block's gate."""
    x = activation("x", (1, 2, 5, 24), Quant((0.01,), (0,)))
    w = constant("w", rng.integers(-127, 128, (8, 1, 1, 24)).astype(np.int8), Quant((0.01,), (0,)))
    b = constant("b", rng.integers(-bias, bias, 8).astype(np.int32), Quant((0.0001,), (0,)))
    ins: list[Tensor] = [x, w, b]
    op = Conv2D((1, 1), (1, 1), (0, 0, 0, 0), act)
    out = Quant((float(np.float32(bias * 1e-6)),), (zero,))
    return make_case(rng, op, ins, [activation("y", op.infer(ins)[0], out)])


def wide_cases() -> list[tuple[Case, KernelCall]]:
    """Layers that int8 pairs cannot hold, with the calls on 16-bit weights."""
    rng = np.random.default_rng(21)
    cases = [pair_case(rng, *shape) for shape in ((5, 2), (8, 4), (31, 9), (96, 12), (2, 6), (33, 7))]
    cases += [pair_case(rng, 19, 8, batch=3), *(weight_zero_point_case(rng, zero) for zero in (-128, 127))]
    large = [(act, zero) for act in (Activation.NONE, Activation.RELU) for zero in (-128, 3)]
    cases += [large_bias_case(rng, 1 << bits, act, zero) for bits in (23, 26, 28) for act, zero in large]
    for width in (1, 2, 3, 4, 5, 8):
        for channels, kernel in (((7, 5), (1, 1)), ((16, 4), (1, 1)), ((3, 7), (3, 3)), ((8, 6), (2, 3))):
            cases.append(with_asymmetric_weights(rng, conv_case(rng, (4, width), channels, kernel)))
    found = [(case, lower_graph(case.graph)[0]) for case in cases]
    return [(case, call) for case, call in found if is_wide(call)]


def test_cases_take_every_form() -> None:
    literals = [dict(call.literals) for _, call in wide_cases()]
    assert {v["line"] for v in literals} >= {0, 10, 12, 14}
    assert {v["group"] for v in literals if "group" in v} == {2, 4}
    assert {v["most"] for v in literals if "most" in v} == {1, 2, 3}
    assert {(v["lo"], v["hi"]) == (-128, 127) for v in literals if v["line"]} == {True, False}
    assert {(v["lo"], v["hi"]) == (-128, 127) for v in literals if not v["line"]} == {True, False}


@pytest.mark.parametrize("wide", [True, False])
def test_equal_their_reference(wide: bool, tmp_path: Path) -> None:
    """In C, and so do the plain kernels."""
    cases = wide_cases()
    graph = merged([case.graph for case, _ in cases])
    calls = list(lower_graph(graph, table_bytes=None if wide else 0))
    assert all(is_wide(call) == wide for call in calls)
    models = HostModels(tmp_path, [graph], plans=[stacked_plan(graph, calls=calls)], calls=[calls])
    outputs = models.run(0, [x for case, _ in cases for x in case.inputs])
    for (case, call), output in zip(cases, outputs, strict=True):
        assert_equal([output], compute_graph(case.graph, case.inputs), case, str(call.literals))


@pytest.mark.slow
@pytest.mark.parametrize("board", BOARDS)
def test_on_cores(board: str, tmp_path: Path) -> None:
    cases = wide_cases()
    graph = merged([case.graph for case, _ in cases])
    inputs, calls = [x for case, _ in cases for x in case.inputs], lower_graph(graph)
    outputs = emulate(tmp_path, graph, inputs, board, calls)  # what was compiled for another core runs everywhere
    for (case, call), output in zip(cases, outputs, strict=True):
        assert_equal([output], compute_graph(case.graph, case.inputs), case, str(call.literals))


def test_the_layers_that_gain_most_come_first() -> None:
    rng = np.random.default_rng(3)
    graph = merged([pair_case(rng, 64, 8).graph, pair_case(rng, 64, 8, batch=9).graph])
    tables = [sum(table.nbytes for table in call.tables) for call in lower_graph(graph)]
    narrow = sum(table.nbytes for call in lower_graph(graph, table_bytes=0) for table in call.tables)
    assert [is_wide(call) for call in lower_graph(graph, table_bytes=sum(tables))] == [True, True]
    assert [is_wide(call) for call in lower_graph(graph, table_bytes=(sum(tables) + narrow) // 2)] == [False, True]
    assert [is_wide(call) for call in lower_graph(graph, table_bytes=narrow)] == [False, False]


def weights_bytes(folder: Path, case: Case, **options: str) -> int:
    model = folder / "model.tflite"
    model.write_bytes(write_tflite(case.graph))
    return tinyforge.compile(model, out=folder / "build", **options).info.flash.weights  # type: ignore[arg-type]


def test_flash_and_objective_decide(tmp_path: Path) -> None:
    case = pair_case(np.random.default_rng(4), 200, 40)
    narrow = weights_bytes(tmp_path, case, objective="size")
    assert narrow == weights_bytes(tmp_path, case, objective="sram") == weights_bytes(tmp_path, case, flash="64K")
    assert narrow < 10_000
    assert weights_bytes(tmp_path, case) > 16_000
    for board in ("emulated_m0plus", "emulated_m3"):  # no faster there
        assert weights_bytes(tmp_path, case, board=board) < 10_000


def test_vectors_times_matrices_are_wide_for_latency_where_flash_is_as_fast_as_the_core(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    x, w = activation("x", (1, 200), random_quant(rng)), rng.integers(-127, 128, (40, 200)).astype(np.int8)
    out = activation("y", (1, 40), Quant((4.0,), (0,)))
    case = make_case(rng, FullyConnected(Activation.RELU), [x, constant("w", w, Quant((0.01,), (0,)))], [out])
    narrow = weights_bytes(tmp_path, case)
    assert narrow < 10_000
    assert weights_bytes(tmp_path, case, objective="latency") > 16_000
    assert weights_bytes(tmp_path, case, objective="latency", board="emulated_m4") == narrow
    assert weights_bytes(tmp_path, case, objective="latency", board="nucleo_f746zg") == narrow
    run = tinyforge.run(tmp_path / "model.tflite", board="emulated_m7", on="emulator")
    assert run.ok
