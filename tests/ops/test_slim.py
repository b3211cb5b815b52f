"""Kernels with less scratch: the same results, and nothing written behind the scratch they say they need."""

from __future__ import annotations

import ctypes
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.c_host import HostModels, StackedPlan, stacked_plan
from tests.ops.conformance import Case, assert_equal, compute_graph
from tests.ops.merged import emulate, merged
from tests.ops.test_conv2d import any_case, edge_cases
from tests.ops.test_depthwise_conv2d import depthwise_case
from tests.ops.test_fully_connected import random_case as dense_case
from tinyforge.codegen.generate import lower_graph
from tinyforge.ir.program import Isa, KernelCall
from tinyforge.ops.base import Op

GUARD = 32


def slim_cases() -> list[tuple[Case, KernelCall]]:
    """Random and special convolutions with each of their slim calls, and fully connected layers that Armv6-M gives
    more scratch."""
    rng = np.random.default_rng(11)
    cases = [*edge_cases(rng), *(any_case(rng) for _ in range(25)), *(depthwise_case(rng, i) for i in range(15))]
    found = []
    for case in cases:
        node = case.graph.nodes[0]
        assert isinstance(node.op, Op)
        call = lower_graph(case.graph)[0]
        slim = node.op.lower_slim(call, case.graph.ins(node), case.graph.outs(node))
        sizes = [call.scratch_bytes, *(s.scratch_bytes for s in slim)]
        assert sizes == sorted(sizes, reverse=True)
        assert len(set(sizes)) == len(sizes)
        found += [(case, s) for s in slim]
    dense = [dense_case(rng) for _ in range(12)]
    for case in (*cases[::3], *dense):
        node = case.graph.nodes[0]
        assert isinstance(node.op, Op)
        call = lower_graph(case.graph, Isa.BASELINE)[0]
        assert not call.narrow
        slim = node.op.lower_slim(call, case.graph.ins(node), case.graph.outs(node))
        found += [(case, s) for s in (call, *slim) if s.scratch_bytes]
    assert {s.narrow for _, s in found} == {True, False}
    assert any(s.narrow for case, s in found if case in dense), "some layers must have groups of 2 channels"
    return found


def guarded(plan: StackedPlan, calls: list[KernelCall]) -> tuple[StackedPlan, list[tuple[int, int]]]:
    """The scratch buffers behind everything else, exactly as large as they must be, and the guards after them."""
    at, scratch, guards = plan.arena_bytes, {}, []
    for i, call in enumerate(calls):
        scratch[i] = at
        end = at + call.scratch_bytes
        at = -(-(end + GUARD) // 16) * 16
        guards.append((end, at))
    return replace(plan, scratch=scratch, arena_bytes=at), guards


def test_slim_kernels_equal_the_reference_and_keep_to_their_scratch(tmp_path: Path) -> None:
    cases = slim_cases()
    graph = merged([case.graph for case, _ in cases])
    calls = [call for _, call in cases]
    plan, guards = guarded(stacked_plan(graph, calls=calls), calls)
    models = HostModels(tmp_path, [graph], plans=[plan], calls=[calls])
    arena = (ctypes.c_uint8 * plan.arena_bytes).in_dll(models.lib, "m0_arena")
    ctypes.memset(arena, 0x5A, plan.arena_bytes)
    outputs = models.run(0, [x for case, _ in cases for x in case.inputs])
    for (case, call), output, (begin, end) in zip(cases, outputs, guards, strict=True):
        assert_equal([output], compute_graph(case.graph, case.inputs), case, str(call.literals))
        assert bytes(arena[begin:end]) == b"\x5a" * (end - begin), call.literals


@pytest.mark.slow
@pytest.mark.parametrize("board", ("emulated_m0plus", "emulated_m4"))
def test_slim_kernels_on_cores(board: str, tmp_path: Path) -> None:
    cases = slim_cases()
    graph = merged([case.graph for case, _ in cases])
    calls = [call for _, call in cases]
    outputs = emulate(tmp_path, graph, [x for case, _ in cases for x in case.inputs], board, calls)
    for (case, call), output in zip(cases, outputs, strict=True):
        assert_equal([output], compute_graph(case.graph, case.inputs), case, str(call.literals))


@pytest.mark.parametrize("widths, pixels", [({1}, 1), ({2, 1}, 2), ({4}, 2), ({4, 3}, 3), ({7}, 3)])
def test_scratch_of_segments_is_for_the_pixels_taken_at_once(widths: set[int], pixels: int) -> None:
    """A kernel takes threes, but 4 as 2 and 2."""
    rng = np.random.default_rng(5)
    fitted = 0
    for case in [any_case(rng) for _ in range(40)]:
        node, call = case.graph.nodes[0], lower_graph(case.graph)[0]
        assert isinstance(node.op, Op)
        ins, outs = case.graph.ins(node), case.graph.outs(node)
        got = node.op.fitted(call, ins, outs, widths)
        most = dict(call.literals).get("most")
        if most is None:
            assert got is call
            continue
        assert dict(got.literals)["most"] == min(most, pixels)
        assert (got.scratch_bytes < call.scratch_bytes) == (pixels < most)
        fitted += 1
    assert fitted > 10
