"""How far an output may reach into an input that dies under it: distances from the rows both have done.

A layer or a fused stage writes its output from the top and reads its inputs from the top. Where the output starts d
bytes below the input, or more, with d = max over rows of (output bytes written so far - input bytes no longer needed),
no byte of the input is overwritten that is still to be read.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinyforge.ir.graph import Graph
from tinyforge.ir.program import KernelCall
from tinyforge.ir.schedule import FusedStage, Schedule
from tinyforge.ir.types import IntArray
from tinyforge.ops.base import Op
from tinyforge.ops.stage_windows import StageWalk, walk_stage

MERGED_AHEAD = 8
"""Pixels that a kernel called once for a whole layer may read before it writes those before them."""
_FAR = 1 << 40


def distances(graph: Graph, schedule: Schedule, calls: Sequence[KernelCall]) -> dict[tuple[str, str], int]:
    """(output, input) -> least bytes from the start of the output to the start of the input above it, for whole
    tensors that are written and last read in the same layer or fused stage. Whether they die there is not looked at."""
    found: dict[tuple[str, str], int] = {}
    for stage in schedule.stages:
        if isinstance(stage, FusedStage):
            walk = walk_stage(graph, stage)
            if not walk.nodes[-1].reduces and stage.slices == 1:  # every slice reads the input from the top
                found.update(_stage(graph, walk, calls))
        elif calls[stage.node].form == "rows" and not calls[stage.node].alias:
            found.update(_layer(graph, stage.node, calls[stage.node]))
    return found


def _row_bytes(graph: Graph, name: str) -> int:
    tensor = graph.tensors[name].type
    return tensor.nbytes // max(tensor.hwc[0], 1)


def _layer(graph: Graph, index: int, call: KernelCall) -> dict[tuple[str, str], int]:
    node = graph.nodes[index]
    if len(node.outputs) != 1 or (call.merge_rows and len(call.parts) > 1):
        return {}  # of several calls for the whole layer each writes all over the output before the next one reads
    output = node.outputs[0]
    height, width, _ = graph.tensors[output].type.hwc
    row_out = _row_bytes(graph, output)
    rows = np.arange(height, dtype=np.int64)
    found = {}
    for name in dict.fromkeys(node.inputs):
        tensor = graph.tensors[name]
        if tensor.is_constant:
            continue
        row_in = _row_bytes(graph, name)
        same = tensor.type.nbytes == graph.tensors[output].type.nbytes and node.inputs.count(name) == 1
        if same and name in (node.inputs[i] for i in call.in_place):
            found[output, name] = 0
            continue
        low = np.full(height, _FAR, np.int64)
        for spec in call.inputs:
            if node.inputs[spec.index] == name:
                low = np.minimum(low, (rows * spec.rows.num + spec.rows.lo) // spec.rows.den)
        if low.max(initial=0) == _FAR or (call.merge_rows and not height):
            continue
        distance = _distance((rows + 1) * row_out, low, row_in)
        if call.merge_rows:
            pixel_out, pixel_in = row_out // max(width, 1), row_in // max(width, 1)
            ahead = min(max(width, MERGED_AHEAD), height * width)
            last = height * width * pixel_out - (height * width - ahead) * pixel_in
            distance = max(distance, ahead * pixel_out, last)
        found[output, name] = distance
    return found


def _distance(written: IntArray, low: IntArray, row_in: int) -> int:
    """Least distance when ``written[i]`` bytes of the output are there before the input's rows from low[i] on have been
    read for the last time."""
    needed = np.maximum(np.minimum.accumulate(low[::-1])[::-1], 0)
    return int(np.maximum(np.where(needed >= _FAR, 0, written - needed * row_in), 0).max(initial=0))


def _stage(graph: Graph, walk: StageWalk, calls: Sequence[KernelCall]) -> dict[tuple[str, str], int]:
    made = {t for n in walk.nodes for t in n.outputs}
    output = walk.nodes[-1].outputs[0]
    row_out = _row_bytes(graph, output)
    written = np.maximum.accumulate(walk.rows.tensors[output].exec_hi) * row_out
    found = {}
    for name in dict.fromkeys(i[0] for n in walk.nodes for i in n.inputs if i[0] not in made):
        low = np.full(written.size, _FAR, np.int64)
        for node in walk.nodes:
            if node is walk.nodes[-1] and _updates(graph, walk, calls[node.index], name):
                continue
            for tensor, row_map, _ in node.inputs:
                if tensor == name:
                    rows = walk.rows.tensors[node.outputs[0]]
                    first = (rows.exec_lo * row_map.num + row_map.lo) // row_map.den
                    first = np.where(rows.exec_hi > rows.exec_lo, first, _FAR)
                    if node is not walk.nodes[-1] and walk.cols.count == 1:
                        first = np.append(first[1:], _FAR)  # what a band reads is read before its output is written
                    low = np.minimum(low, first)
        found[output, name] = _distance(written, low, _row_bytes(graph, name))
    return found


def _updates(graph: Graph, walk: StageWalk, call: KernelCall, name: str) -> bool:
    """Whether the stage's last node reads ``name`` element by element just before it writes there: in place, and in
    raster order, so that a distance above zero does no harm either."""
    last = graph.nodes[walk.stage.last]
    same = graph.tensors[name].type.nbytes == graph.tensors[last.outputs[0]].type.nbytes
    raster = walk.cols.count == 1 or walk.stage.patch_h == 1
    assert isinstance(last.op, Op)
    return same and raster and last.inputs.count(name) == 1 and name in (last.inputs[i] for i in call.in_place)
