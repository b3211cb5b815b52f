"""Estimated instructions of kernels: what decides band heights, chunk widths and the fastest schedule.

A node costs a fixed amount per call of its kernel (one row segment), per output pixel and per multiply-accumulate. The
factors are rounded counts of the packed kernels on a Cortex-M7; only their ratios matter for choosing.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinyforge.ir.graph import Graph
from tinyforge.ir.program import KernelCall
from tinyforge.ops.base import Op

PER_MAC = {"depthwise_conv2d": 1.5}
PER_ELEMENT = {"conv2d": 7.0, "depthwise_conv2d": 9.0, "fully_connected": 7.0}
PER_CALL = 170
PER_ROW_POINTER = 8
PER_PIECE = 60
"""Working out one node's window in one piece, and calling its function."""


@dataclass(frozen=True, slots=True)
class NodeCost:
    """``call``: instructions per row segment, ``pixel``: per output pixel, ``layer``: of the whole operator."""

    call: float
    pixel: float
    layer: int


def node_cost(graph: Graph, call: KernelCall, index: int) -> NodeCost:
    """Estimate for one node; reductions and whole-tensor operators per element they touch."""
    node = graph.nodes[index]
    ins, outs = graph.ins(node), graph.outs(node)
    assert isinstance(node.op, Op)
    kind = node.op.kind
    if call.alias:
        return NodeCost(PER_CALL, 1.0, 0)
    height, width, channels = outs[0].type.hwc
    macs = node.op.macs(ins, outs)
    per_pixel = PER_MAC.get(kind, 0.75) * macs / max(height * width, 1) + PER_ELEMENT.get(kind, 8.0) * channels
    if call.form == "reduce":
        height, width, channels = ins[0].type.hwc
        per_pixel = 4.0 * channels
    rows = 1 if call.form == "flat" or call.merge_rows else height
    per_call = PER_CALL + PER_ROW_POINTER * sum(r.count for r in call.inputs)
    return NodeCost(per_call, per_pixel, int(rows * per_call + height * width * per_pixel))
