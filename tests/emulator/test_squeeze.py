"""Squeeze-and-excite in two passes as linked firmware, instruction by instruction."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tinyforge
from tests.search.squeeze_graphs import squeeze_graph
from tests.shared import golden, shared_model
from tests.tflite_writer import write_tflite
from tinyforge.api.compare import first_wrong
from tinyforge.api.network import read_network
from tinyforge.codegen.build_info import load_build_info
from tinyforge.interp.run_graph import run_graph

LARGE = "tinyengine_mcunetv2_large_int8"
SEED = 7


def small_model(folder: Path) -> Path:
    """A network of three blocks as a file."""
    path = folder / "small.tflite"
    path.write_bytes(write_tflite(squeeze_graph(np.random.default_rng(SEED), 3)))
    return path


@pytest.mark.parametrize(("board", "fed"), [("emulated_m7", "rows"), ("emulated_m0plus", "whole")])
def test_two_passes_on_cores(board: str, fed: str, tmp_path: Path) -> None:
    wishes = {"board": board, "objective": "sram", "max_mac_factor": 1.9}
    built = tinyforge.compile(small_model(tmp_path), input_mode=fed, out=tmp_path / "build", **wishes)  # type: ignore[arg-type]
    assert any(op.repeats is not None for op in built.info.operators)
    assert built.info.macs < built.info.executed_macs <= 1.9 * built.info.macs
    report = tinyforge.run(built.out, on="emulator", samples=2)
    assert report.ok, report.explanation
    assert report.arena_linked_bytes == built.info.arena_bytes
    assert report.result.arena_high_water_bytes <= built.info.arena_bytes
    header = next(built.out.glob("small.h")).read_text(encoding="utf-8")
    assert "pass 1 of" in header
    assert "pass 2 of" in header


def test_a_wrong_second_pass_is_named(tmp_path: Path) -> None:
    wishes = {"board": "emulated_m7", "objective": "sram", "max_mac_factor": 1.9, "input_mode": "rows"}
    built = tinyforge.compile(small_model(tmp_path), out=tmp_path / "build", **wishes)  # type: ignore[arg-type]
    info = load_build_info(built.out)
    graph = read_network(tmp_path / "small.tflite", "int8").graph
    x = np.zeros((1, *graph.tensors[graph.inputs[0]].shape), np.int8)
    values = run_graph(graph, {graph.inputs[0]: x[0]})
    names = {node.name: node.outputs[0] for node in graph.nodes}
    first = {op.index: op.name for op in info.operators if op.repeats is None}
    traces = {
        (op.index, 0): values[names[first[op.index if op.repeats is None else op.repeats]]]
        .view(np.uint8)
        .reshape(1, -1)
        for op in info.operators
    }
    assert first_wrong(info, graph, [x], traces, 0) is None
    again = next(op for op in info.operators if op.repeats is not None)
    traces[again.index, 0] = traces[again.index, 0] ^ 1
    message = first_wrong(info, graph, [x], traces, 0)
    assert message is not None
    assert f"#{again.index} {again.kind} {again.name}" in message
    assert "(pass 2)" in again.name


@pytest.mark.long
@pytest.mark.parametrize(("fed", "most"), [("rows", 100_000), ("whole", 200_000)])
def test_the_large_model(fed: str, most: int, tmp_path: Path) -> None:
    """Without two passes it needs 228,320 B fed by rows."""
    model, recorded = shared_model(LARGE), golden(LARGE)
    wishes = {"board": "emulated_m7", "objective": "sram", "max_mac_factor": 1.25, "input_mode": fed}
    built = tinyforge.compile(model, out=tmp_path / "build", **wishes)  # type: ignore[arg-type]
    assert built.info.arena_bytes <= most
    assert built.info.executed_macs <= 1.25 * built.info.macs
    report = tinyforge.run(built.out, on="emulator", inputs=recorded, reference=recorded, samples=1)
    assert report.ok, report.explanation
    assert report.result.arena_high_water_bytes <= built.info.arena_bytes == report.arena_linked_bytes
