"""Channel slices as machine code: random networks on cores of every kind, and what the compiler makes of a model."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import tinyforge
from tests.arm_models import ArmModel, ArmModels
from tests.host.test_slices import batch
from tests.search.random_graphs import run_whole
from tests.search.sliced_graphs import expanding
from tests.shared import golden, shared_model
from tests.tflite_writer import write_tflite
from tinyforge.ir.program import Isa
from tinyforge.target import load_board

LARGE = "tinyengine_mcunetv2_large_int8"
MOST = 225_000
"""Bytes of the large model, fed by rows at 1.05 times the MACs."""


@pytest.mark.parametrize("board", ["emulated_m4", "emulated_m0plus"])
def test_random_networks_on_cores(board: str, tmp_path: Path) -> None:
    jobs = batch(50, Isa.PORTABLE)
    models = ArmModels(
        tmp_path, [ArmModel(j.graph, j.schedule, j.plan, j.calls) for j in jobs], load_board(board), "zig", "O1"
    )
    for i, job in enumerate(jobs):
        want = run_whole(job.graph, {"t0": job.data})
        for name, got in zip(job.graph.outputs, models.run(i, [job.data]), strict=True):
            np.testing.assert_array_equal(got, want[name], err_msg=f"{i}: {job.schedule}")
        assert models.touched_bytes(i, [job.data]) <= job.plan.arena_bytes


HELIUM = pytest.param("mps3_an547", marks=[pytest.mark.slow, pytest.mark.qemu])


@pytest.mark.parametrize("board", ["emulated_m7", HELIUM])
def test_a_model_of_which_slices_are_the_smallest_schedule(board: str, tmp_path: Path) -> None:
    if board == "mps3_an547" and shutil.which("qemu-system-arm") is None:
        pytest.skip("no qemu-system-arm")
    model = tmp_path / "expanding.tflite"
    model.write_bytes(write_tflite(expanding(48)))
    built = tinyforge.compile(
        model, out=tmp_path / "build", board=board, objective="sram", max_mac_factor=1.0, dump=True
    )
    slices = [stage["slices"] for stage in built.info.schedule if "slices" in stage]
    assert slices
    assert built.info.executed_macs == built.info.macs
    report = tinyforge.run(built.out, samples=2)
    assert report.ok, report.explanation
    assert report.result.arena_high_water_bytes == built.info.arena_bytes == report.arena_linked_bytes
    assert "slices of the channels" in (built.out / "expanding.h").read_text(encoding="utf-8")
    assert f"slices={slices[0]}" in (built.out / ".tinyforge" / "schedule.txt").read_text(encoding="utf-8")


@pytest.mark.long
def test_the_large_model_as_built(tmp_path: Path) -> None:
    model, recorded = shared_model(LARGE), golden(LARGE)
    wishes = {"board": "emulated_m7", "objective": "sram", "max_mac_factor": 1.05, "input_mode": "rows"}
    built = tinyforge.compile(model, out=tmp_path / "build", **wishes)  # type: ignore[arg-type]
    assert built.info.arena_bytes <= MOST
    assert built.info.executed_macs <= built.info.macs
    report = tinyforge.run(built.out, on="emulator", inputs=recorded, reference=recorded, samples=1)
    assert report.ok, report.explanation
    assert report.result.arena_high_water_bytes == built.info.arena_bytes == report.arena_linked_bytes
