"""Estimated instructions of kernels: what decides band heights, chunk widths and the fastest schedule.

A node costs a fixed amount per call of its kernel (one row segment), per output pixel and per multiply-accumulate. The
factors are rounded counts of the packed kernels on a Cortex-M7; only their ratios matter for choosing.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinyforge.ir.graph import Graph
from tinyforge.ir.program import KernelCall
from tinyforge.ops.base import Op

SHARED = {"conv2d": (3, 0.45), "depthwise_conv2d": (4, 4.8)}
"""Kind -> pixels computed together, and instructions per MAC of one pixel spent once for all of them: weights read,
planes filled. A shorter row segment costs as much as a full one."""
PER_MAC = {"conv2d": 0.45, "depthwise_conv2d": 0.4}
PER_ELEMENT = {"conv2d": 7.0, "depthwise_conv2d": 9.0, "fully_connected": 7.0}
PER_CALL = 170
PER_ROW_POINTER = 8
PER_PIECE = 60
"""Working out one node's window in one piece, and calling its function."""


@dataclass(frozen=True, slots=True)
class NodeCost:
    """``call``: instructions per row segment, ``shared``: per ``group`` pixels or fewer of it, ``pixel``: per output
    pixel, ``layer``: of the whole operator."""

    call: float
    pixel: float
    layer: int
    group: int = 1
    shared: float = 0.0

    def of(self, calls: int, pixels: int) -> float:
        """Instructions of ``calls`` row segments that hold ``pixels`` in all."""
        groups = calls * -(-pixels // max(calls * self.group, 1))
        return self.call * calls + self.shared * groups + self.pixel * pixels


def node_cost(graph: Graph, call: KernelCall, index: int) -> NodeCost:
    """Estimate for one node; reductions and whole-tensor operators per element they touch."""
    node = graph.nodes[index]
    ins, outs = graph.ins(node), graph.outs(node)
    assert isinstance(node.op, Op)
    kind = node.op.kind
    if call.alias:
        return NodeCost(PER_CALL, 1.0, 0)
    height, width, channels = outs[0].type.hwc
    macs = node.op.macs(ins, outs) / max(height * width, 1)
    per_pixel = PER_MAC.get(kind, 0.75) * macs + PER_ELEMENT.get(kind, 8.0) * channels
    group, share = SHARED.get(kind, (1, 0.0))
    if call.form == "reduce":
        height, width, channels = ins[0].type.hwc
        per_pixel = 4.0 * channels
    rows = 1 if call.form == "flat" or call.merge_rows else height
    per_call = PER_CALL + PER_ROW_POINTER * sum(r.count for r in call.inputs)
    cost = NodeCost(per_call, per_pixel, 0, group, share * macs)
    return NodeCost(per_call, per_pixel, int(cost.of(rows, height * width)), group, share * macs)
