"""Arenas over several banks: no buffer is cut, every bank keeps its size, results are those of whole layers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.native import Job, run_jobs
from tests.search.random_graphs import random_graph, random_schedule, run_whole
from tests.shared import shared_model
from tinyforge.api.network import read_network
from tinyforge.codegen.generate import lower_graph
from tinyforge.errors import DoesNotFit
from tinyforge.interp.run_schedule import run_schedule
from tinyforge.ir.memory_plan import MemoryPlan
from tinyforge.ir.types import Array
from tinyforge.memory.banks import BankRoom, deal, in_one_bank, plan_in_banks
from tinyforge.memory.plan import plan_memory
from tinyforge.memory.planner import Block
from tinyforge.schedule.in_banks import optimise_in_banks
from tinyforge.schedule.layerwise import layerwise
from tinyforge.schedule.optimise import Options, optimise


def split_job(seed: int) -> tuple[Job, dict[str, Array], tuple[BankRoom, ...]] | None:
    """A random network under a random schedule that fits neither of two banks; None where no cut is possible."""
    rng = np.random.default_rng(5000 + seed)
    graph = random_graph(rng, int(rng.integers(3, 9)))
    calls = lower_graph(graph)
    schedule = random_schedule(rng, graph) if rng.random() < 0.6 else layerwise(graph)
    whole = plan_memory(graph, schedule, calls, effort=200)
    largest = max(buffer.nbytes for buffer in whole.timeline)
    size = max(largest, int(whole.arena_bytes * rng.uniform(0.55, 0.95)))
    rooms = (BankRoom("sram", size, 1, main=True), BankRoom("dtcm", size, 0))
    if in_one_bank(whole, rooms) is not None:
        return None
    plan = plan_in_banks(graph, schedule, calls, rooms, effort=200)
    if plan is None or len(plan.parts) < 2:
        return None
    data = rng.integers(-128, 128, graph.tensors[graph.inputs[0]].shape).astype(np.int8)
    return Job(graph, schedule, plan, data), run_whole(graph, {graph.inputs[0]: data}), rooms


def check_parts(plan: MemoryPlan, rooms: tuple[BankRoom, ...]) -> None:
    sizes = {room.name: room.room_bytes for room in rooms}
    assert plan.arena_bytes == sum(part.used_bytes for part in plan.parts)
    for part in plan.parts:
        assert part.used_bytes <= sizes[part.bank]
        inside = [b for b in plan.timeline if part.start <= b.offset < part.start + part.used_bytes]
        assert max(b.offset + b.nbytes for b in inside) == part.start + part.used_bytes
    assert all(plan.part(b.offset) == plan.part(b.offset + b.nbytes - 1) for b in plan.timeline if b.nbytes)


def test_split_arenas_in_the_interpreter() -> None:
    split = 0
    for seed in range(40):
        found = split_job(seed)
        if found is None:
            continue
        job, expected, rooms = found
        check_parts(job.plan, rooms)
        got = run_schedule(job.graph, job.schedule, job.plan, {job.graph.inputs[0]: job.data}, seed=seed)
        for name, data in expected.items():
            np.testing.assert_array_equal(got[name], data, err_msg=f"seed {seed}: {job.schedule}")
        split += 1
    assert split >= 12, "the networks above must need two banks"


def test_split_arenas_in_c(tmp_path: Path) -> None:
    """Under sanitizers, every part painted: outputs equal, and no part is touched beyond what is planned."""
    found = [job for seed in range(60, 80) if (job := split_job(seed)) is not None][:8]
    assert len(found) >= 6
    jobs = [job for job, _, _ in found]
    for answer, (job, expected, _) in zip(run_jobs(tmp_path, jobs), found, strict=True):
        for name, data in expected.items():
            np.testing.assert_array_equal(answer.outputs[name], data, err_msg=str(job.schedule))
        assert answer.touched_bytes == job.plan.arena_bytes


def test_the_hottest_go_to_the_fastest() -> None:
    blocks = [Block(name, 100, 4, 0, 3) for name in ("cold", "hot", "warm")]
    rooms = (BankRoom("slow", 200, 1, main=True), BankRoom("fast", 100, 0))
    split = deal(blocks, {}, [1, 50, 20], rooms, effort=100)
    assert split is not None
    assert [rooms[bank].name for bank in split.bank] == ["slow", "fast", "slow"]
    assert split.used == (200, 100)


def test_large_blocks_come_first_where_heat_would_block_them() -> None:
    """The small hot block must leave the large cold one the only bank that can hold it, and move where it can."""
    blocks = [Block("large", 150, 4, 0, 1), Block("hot", 60, 4, 0, 1)]
    rooms = (BankRoom("slow", 100, 1, main=True), BankRoom("fast", 160, 0))
    split = deal(blocks, {}, [10, 1000], rooms, effort=100)
    assert split is not None
    assert [rooms[bank].name for bank in split.bank] == ["fast", "slow"]


def test_what_cannot_fit_is_refused() -> None:
    blocks = [Block("a", 100, 4, 0, 1), Block("b", 100, 4, 0, 1)]
    assert deal(blocks, {}, [1, 1], (BankRoom("one", 150, main=True), BankRoom("two", 60)), effort=100) is None
    assert deal(blocks, {}, [1, 1], (BankRoom("one", 100, main=True), BankRoom("two", 100)), effort=100) is not None


@pytest.mark.parametrize("size, bank", [(50, "dtcm"), (150, ""), (250, None)])
def test_one_bank_is_the_fastest_that_holds_all(size: int, bank: str | None) -> None:
    rooms = (BankRoom("sram", 200, 1, main=True), BankRoom("dtcm", 100, 0))
    rng = np.random.default_rng(1)
    graph = random_graph(rng, 3)
    plan = replace(plan_memory(graph, layerwise(graph), lower_graph(graph), effort=0), arena_bytes=size)
    parts = in_one_bank(plan, rooms)
    assert parts is None if bank is None else "".join(part.bank for part in parts or ()) == bank


def test_where_the_smallest_schedule_cannot_be_cut_a_larger_one_is() -> None:
    """The least SRAM of this network has buffers that do not come apart into two banks of that size."""
    graph = random_graph(np.random.default_rng(13), 5)
    calls = lower_graph(graph)
    rooms = (BankRoom("sram", 968, 1, main=True), BankRoom("dtcm", 968, 0))
    options = Options("sram", max_mac_factor=1.3)
    least = optimise(graph, calls, sum(r.room_bytes for r in rooms), options)
    found = optimise_in_banks(graph, calls, rooms, options=options)
    assert plan_in_banks(graph, least.schedule, least.calls, rooms) is None
    check_parts(found.plan, rooms)
    assert len(found.plan.parts) == 2
    assert least.arena_bytes < found.arena_bytes
    assert found.mac_factor <= 1.3


def test_a_buffer_larger_than_every_bank_is_refused_with_what_to_try() -> None:
    graph = read_network(shared_model("mlperf_ic_resnet8_int8"), "int8").graph
    rooms = (BankRoom("sram", 7168, 1, main=True), BankRoom("dtcm", 6656, 0))
    with pytest.raises(DoesNotFit, match="try a higher --max-mac-factor, --input rows, or a board with larger banks"):
        optimise_in_banks(graph, lower_graph(graph), rooms, options=Options("sram", max_mac_factor=1.25))
