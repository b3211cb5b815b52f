"""What the generated header says about proofs is what was proven: forms, channels, accumulators."""

from __future__ import annotations

import numpy as np
import pytest

from tests.tiny_models import built
from tinyforge.codegen.generate import lower_graph
from tinyforge.ops.conv2d import Conv2D
from tinyforge.ops.packing import pack_matmul
from tinyforge.ops.proofs import LINE, SHORT
from tinyforge.ops.requant import Rescale, accumulator_range
from tinyforge.reporting.proofs import proof_lines


def test_every_operator_that_rescales_is_named() -> None:
    graph = built("classifier").graph
    lines = proof_lines(graph, lower_graph(graph))
    named = [line.split(":")[0].strip() for line in lines if line.startswith("  op")]
    assert named == [
        *("op00 conv2d", "op01 depthwise_conv2d", "op02 conv2d", "op03 conv2d", "op04 add", "op05 mean"),
        "op06 fully_connected",
    ]
    assert lines[-1] == (
        "19 channels by short forms, 0 by the reference's own steps. Operators not listed compute as it does."
    )


def test_range_is_that_of_the_weights() -> None:
    graph = built("classifier").graph
    call, node = lower_graph(graph)[0], graph.nodes[0]
    assert isinstance(node.op, Conv2D)
    (proof,) = call.proofs
    weights = graph.ins(node)[1].array().astype(np.int64)
    zero = graph.ins(node)[0].type.zero_point
    bias = graph.ins(node)[2].array()
    flat = weights.reshape(len(weights), -1)
    ends = [(flat * np.where((flat < 0) ^ high, 127 - zero, -128 - zero)).sum(axis=1) + bias for high in (True, False)]
    # The widest of inputs below and above the zero point: the largest sum takes 127 at positive weights.
    assert (proof.low, proof.high) == (int(min(e.min() for e in ends)), int(max(e.max() for e in ends)))
    assert proof.channels == len(weights)


@pytest.mark.parametrize("lo, form", [(0, LINE), (-128, SHORT)])
def test_form_depends_on_the_clamp(lo: int, form: str) -> None:
    """Outputs on both sides of the zero point round away from it; on one side a line does."""
    generator = np.random.default_rng(4)
    weights = generator.integers(-127, 128, (8, 24))
    bias = generator.integers(-2000, 2000, 8)
    multiplier, shift = np.full(8, 1_518_500_249), np.full(8, -7)
    rescale = Rescale(multiplier, shift, 0, lo, 127, *accumulator_range(weights, bias))
    packed = pack_matmul(weights, bias, rescale, 2)
    assert packed is not None
    assert packed.proof.form == form
    assert bool(packed.line) == (form == LINE)
