"""Estimated instructions of kernels: what decides band heights, chunk widths and the fastest schedule.

A kernel costs by its row segments: a call, the blocks of pixels it does together, what a block costs once (weights
read, planes filled) and each pixel of it. Fitted to counts of Cortex-M7 firmware, layer by layer and in pieces; only
the ratios matter for choosing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tinyforge.ir.graph import Graph
from tinyforge.ir.program import KernelCall
from tinyforge.ops.base import Op

PER_CALL = 40
PER_ROW_POINTER = 12
PER_PIECE = 75
"""Working out one node's window in one piece, and calling its function."""
PER_ELEMENT = 8.0
"""Of the output, where nothing better is known."""

PER_STEP = (0.0, 8.3, 13.3, 17.3)
"""Matrix core: instructions of a step of four values and two channels, by pixels done together."""
PER_GROUP = (0.0, 16.0, 22.0, 30.0)
"""Start and end of the sums of two channels."""
PER_CLAMP = 7
PER_WIDENED = (0.0, 4.5, 8.0, 11.0)
"""Step of four values widened."""

PER_PLANES, PER_FOUR, PER_COLUMN, PER_TAP = 430, 100, 2.2, 1.1
"""Depthwise: a filling of the planes, four channels of it, a value of those, a product."""
PER_BYTE = 20
"""A value where there are fewer channels than four."""
PER_MOVED_BYTE = 1.5
"""Of a buffer that is moved between stages, word by word."""
PER_RING = 90
"""A row segment in a raster ring: where it is, and what is mirrored."""


@dataclass(frozen=True, slots=True)
class NodeCost:
    """``segments[n]``: instructions of one call on a row segment of n pixels; ``layer``: of the whole operator."""

    segments: tuple[float, ...]
    layer: int

    def of(self, calls: int, pixels: int) -> float:
        """Instructions of ``calls`` row segments that hold ``pixels`` in all, as equal as they can be."""
        calls = max(calls, -(-pixels // max(len(self.segments) - 1, 1)))  # no segment is longer than a row
        if not calls:
            return 0.0
        short = pixels // calls
        longer = pixels - short * calls
        least = self.segments[short]
        return calls * least + (longer * (self.segments[short + 1] - least) if longer else 0.0)


def node_cost(graph: Graph, call: KernelCall, index: int, slices: int = 1) -> NodeCost:
    """Estimate for one node; reductions and whole-tensor operators per element they touch. ``slices``: the call makes
    one of so many equal shares of the channels."""
    node = graph.nodes[index]
    ins, outs = graph.ins(node), graph.outs(node)
    assert isinstance(node.op, Op)
    height, width, channels = (ins if call.form == "reduce" else outs)[0].type.hwc
    if call.alias:
        return NodeCost((0.0,) + (float(PER_CALL),) * width, 0)
    literals = dict(call.literals)
    channels, macs = channels // slices, node.op.macs(ins, outs) // slices
    per_pixel = 4.0 * channels if call.form == "reduce" else PER_ELEMENT * channels
    if call.kernel == "tf_fully_connected_packed_s8" or (call.kernel not in SEGMENTS and macs):
        per_pixel += 0.75 * macs / max(height * width, 1)
    fixed = PER_CALL + PER_ROW_POINTER * sum(r.count for r in call.inputs)
    known = SEGMENTS.get(call.kernel)

    def segment(pixels: int) -> float:
        return fixed + (known(literals, pixels) if known else per_pixel * pixels)

    segments = tuple(segment(n) for n in range(width + 1))
    if call.form == "flat" or call.merge_rows:
        return NodeCost(segments, int(segment(height * width)))
    return NodeCost(segments, int(height * segments[width]))


Literals = Mapping[str, int]


def _blocks(pixels: int, most: int) -> dict[int, int]:
    """How often the kernel does 3, 2 and 1 pixels together: threes, but 4 as 2 + 2."""
    if most < 3 or pixels < 3:
        return {2: pixels // 2, 1: pixels % 2} if most >= 2 else {1: pixels}
    threes, left = divmod(pixels, 3)
    return {3: threes - (left == 1), 2: 2 if left == 1 else left // 2}


def _matmul(literals: Literals, steps: int, pixels: int) -> float:
    """All output channels of a block of pixels."""
    outputs = pixels * (PER_CLAMP * (literals["lo"] != -128 or literals["hi"] != 127) + 5 * (literals["line"] == 0))
    groups = -(-literals["out_c"] // 2)
    return 60 + groups * (PER_GROUP[pixels] + 2 * outputs + steps * PER_STEP[pixels])


def _pointwise(literals: Literals, pixels: int) -> float:
    steps = -(-literals["in_c"] // 4)
    return sum(
        count * (45 + steps * PER_WIDENED[size] + _matmul(literals, steps, size))
        for size, count in _blocks(pixels, literals["most"]).items()
    )


def _convolution(literals: Literals, pixels: int) -> float:
    row = literals["kw"] * literals["in_c"]
    steps = -(-literals["kh"] * row // 4)
    gathered = literals["kh"] * (10 + 2.0 * row) if literals["whole"] else literals["kh"] * 40.0
    return sum(
        count * (45 + size * gathered + steps * PER_WIDENED[size] + _matmul(literals, steps, size))
        for size, count in _blocks(pixels, literals["most"]).items()
    )


def _depthwise(literals: Literals, pixels: int) -> float:
    kh, kw, channels = literals["kh"], literals["kw"], literals["in_c"]
    column = PER_COLUMN * 4 if channels >= 4 else PER_BYTE * channels
    total, left = 0.0, pixels
    while left > 0:
        n = min(left, literals["block"])
        columns = (n - 1) * literals["stride_w"] + kw
        total += PER_PLANES + -(-channels // 4) * (PER_FOUR + column * kh * columns)
        total += PER_TAP * kh * kw * n * channels * literals["depth_multiplier"]
        left -= n
    return total


def _elementwise(literals: Literals, pixels: int) -> float:
    return 100 + 7.5 * literals["channels"] * pixels


def _pooled(literals: Literals, pixels: int) -> float:
    """Added to the sums of all channels."""
    return literals["channels"] * (16 + 0.9 * pixels)


SEGMENTS: Mapping[str, Callable[[Literals, int], float]] = {
    "tf_pointwise_packed_s8": _pointwise,
    "tf_conv2d_packed_s8": _convolution,
    "tf_depthwise_planar_s8": _depthwise,
    "tf_global_average_s8": _pooled,
    "tf_sum_rows_s8": _pooled,
    "tf_binary_s8": _elementwise,
}
