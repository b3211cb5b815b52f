"""Evaluates operators whose inputs are all constants."""

from __future__ import annotations

from collections.abc import Sequence

from tinyforge.interp.run_graph import run_node
from tinyforge.ir.graph import Tensor
from tinyforge.ops.base import Op

MAX_ELEMENTS = 1 << 20  # larger results are not worth storing as constants, and a file could ask for gigabytes
_COSTLY = frozenset(
    {"conv2d", "depthwise_conv2d", "transpose_conv", "fully_connected", "average_pool2d", "max_pool2d"}
)  # work beyond the size of their results: a hostile file could ask for hours


def _small(op: Op, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> bool:
    """Whether it is the matrix of a first state, as unrolled recurrent networks begin with."""
    return op.kind == "fully_connected" and op.macs(ins, outs) <= MAX_ELEMENTS


def fold_node(op: Op, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> list[Tensor] | None:
    """The outputs as constants; None when an input is not constant, the result is too large or takes too long.

    Raises UnsupportedModel when the operator cannot compute its inputs.
    """
    values = [t.data for t in ins]
    if not values or any(v is None for v in values) or (op.kind in _COSTLY and not _small(op, ins, outs)):
        return None
    if sum(t.type.elements for t in outs) > MAX_ELEMENTS:
        return None
    op.check(ins, outs)
    results = run_node(op, ins, outs, [v for v in values if v is not None])
    return [Tensor(t.name, t.type, data) for t, data in zip(outs, results, strict=True)]
