"""Channel slices in generated C, under sanitizers: == whole layers, arena as planned, slices of every kernel that has
them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tinyforge
from tests.native import QUICK, Job, run_jobs
from tests.search.random_graphs import run_whole
from tests.search.sliced_graphs import expanding, sliced_graph, sliced_schedule
from tests.tflite_writer import write_tflite
from tinyforge.api.network import read_network
from tinyforge.codegen.generate import lower_graph
from tinyforge.device.host import run_host
from tinyforge.interp.run_graph import run_graph
from tinyforge.ir.program import Isa
from tinyforge.memory.plan import plan_memory
from tinyforge.ops.packing import is_wide
from tinyforge.schedule.kernels import kernels

NETWORKS = 12


def batch(seed: int, isa: Isa) -> list[Job]:
    """Networks with kernels of most and of least scratch."""
    rng = np.random.default_rng(7000 + seed)
    share = 4 if isa in (Isa.MVE, Isa.SCALAR) else 2
    jobs = []
    for number in range(NETWORKS):
        sliced = sliced_graph(rng, share)
        graph = sliced.graph
        both = kernels(graph, lower_graph(graph, isa), True)  # weights of 16 bits among them
        calls = both.slim if number % 2 else both.fast
        schedule = sliced_schedule(rng, sliced, share)
        data = rng.integers(-128, 128, graph.tensors["t0"].shape).astype(np.int8)
        jobs.append(Job(graph, schedule, plan_memory(graph, schedule, calls, effort=50), data, calls))
    return jobs


@pytest.mark.parametrize("isa", Isa)
@pytest.mark.parametrize("seed", [0, *(pytest.param(i, marks=pytest.mark.long) for i in range(1, 20))])
def test_generated_c_equals_whole_layers(seed: int, isa: Isa, tmp_path: Path) -> None:
    jobs = batch(seed, isa)
    kinds = {(call.kernel, is_wide(call)) for job in jobs for call in job.calls}
    assert seed or isa in (Isa.MVE, Isa.SCALAR) or ("tf_pointwise_packed_s8", True) in kinds
    for number, (answer, job) in enumerate(zip(run_jobs(tmp_path, jobs, ("-O1", *QUICK)), jobs, strict=True)):
        want = run_whole(job.graph, {"t0": job.data})
        message = f"model n{number} in {tmp_path}: {job.schedule}"
        for name in job.graph.outputs:
            np.testing.assert_array_equal(answer.outputs[name], want[name], err_msg=message)
        assert answer.touched_bytes <= job.plan.arena_bytes


def test_traces_and_report(tmp_path: Path) -> None:
    """Every operator's output can be followed though its channels come slice by slice, and the report shows them."""
    model = tmp_path / "expanding.tflite"
    model.write_bytes(write_tflite(expanding(48)))
    built = tinyforge.compile(model, out=tmp_path / "build", objective="sram", max_mac_factor=1.0)
    (stage,) = [s for s in built.info.schedule if "slices" in s]
    graph = read_network(model, "int8").graph
    x = np.random.default_rng(1).integers(-128, 128, (1, *graph.tensors[graph.inputs[0]].shape)).astype(np.int8)
    values = run_graph(graph, {graph.inputs[0]: x[0]})
    traces = run_host(built.out, [x], trace=True).traces
    for index, node in enumerate(graph.nodes):
        np.testing.assert_array_equal(traces[index, 0].view(np.int8).reshape(-1), values[node.outputs[0]].reshape(-1))
    page = tinyforge.report(built.out).path.read_text(encoding="utf-8")
    assert f"{stage['slices']} slices of the channels, each in" in page
    assert f"in each of {stage['slices']} slices" in page
