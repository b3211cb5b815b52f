"""MCUNetV2's family: the first operators patch by patch over a grid, every halo recomputed, the rest layer by layer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinyforge.ir.schedule import FusedStage
from tinyforge.ir.types import IntArray
from tinyforge.ops.stage_windows import AxisWalk, StageNode, walk_axis
from tinyforge.schedule.space import Space


@dataclass(frozen=True, slots=True)
class Candidate:
    """A stage with what it costs: ``peak_bytes`` alive inside it (tensors passing by included), executed MACs."""

    stage: FusedStage
    peak_bytes: int
    macs: int


def patch_sizes(extent: int) -> list[int]:
    """Distinct piece sizes for 1, 2, ... pieces along an axis, largest first."""
    return sorted({-(-extent // pieces) for pieces in range(1, extent + 1)}, reverse=True)


def patch_candidates(space: Space, first: int, last: int) -> Iterator[Candidate]:
    """Every grid for a stage over first..last, all halos recomputed; none where the nodes cannot be fused."""
    if not space.closed(first, last):
        return
    nodes = tuple(n for n in space.nodes[first : last + 1] if n is not None)
    height, width, _ = space.graph.tensors[nodes[-1].outputs[0]].type.hwc
    names = {t for n in nodes for t in (*n.outputs, *(i[0] for i in n.inputs))}
    sizes = {t: space.graph.tensors[t].type.hwc for t in names}
    rows = [(p, walk_axis(nodes, 0, {t: s[0] for t, s in sizes.items()}, frozenset(), p)) for p in patch_sizes(height)]
    cols = [(p, walk_axis(nodes, 1, {t: s[1] for t, s in sizes.items()}, frozenset(), p)) for p in patch_sizes(width)]
    peaks, macs = _peaks(space, nodes, rows, cols), _macs(space, nodes, rows, cols)
    for r, (patch_h, _) in enumerate(rows):
        for c, (patch_w, _) in enumerate(cols):
            if patch_h < height or patch_w < width:
                stage = FusedStage(first, last, patch_h, patch_w)
                yield Candidate(stage, int(peaks[r, c]), int(macs[r, c]))


Walks = list[tuple[int, AxisWalk]]


def _peaks(space: Space, nodes: tuple[StageNode, ...], rows: Walks, cols: Walks) -> IntArray:
    """Most bytes alive in any step of the stage, for each grid."""
    first, last = nodes[0].index, nodes[-1].index
    shape = (len(rows), len(cols))
    alive = [np.zeros(shape, np.int64) for _ in nodes]
    for node in nodes[:-1]:
        for name in node.outputs:
            _, _, channels = space.graph.tensors[name].type.hwc
            need_r = np.array([w.tensors[name].need_size for _, w in rows])
            need_c = np.array([w.tensors[name].need_size for _, w in cols])
            nbytes = np.outer(need_r, need_c) * channels * space.graph.tensors[name].type.dtype.itemsize
            for step in range(node.index, space.read[name] + 1):
                alive[step - first] += nbytes
    for node, total in zip(nodes, alive, strict=True):
        total += space.calls[node.index].scratch_bytes
    around = space.crossing(first, last) + space.nbytes[nodes[-1].outputs[0]]
    return np.asarray(np.maximum.reduce(alive) + around, np.int64)


def _macs(space: Space, nodes: tuple[StageNode, ...], rows: Walks, cols: Walks) -> IntArray:
    total = np.zeros((len(rows), len(cols)), np.int64)
    for node in nodes:
        if not space.macs[node.index]:
            continue
        name = node.outputs[0]
        height, width, _ = space.graph.tensors[name].type.hwc
        per_pixel = space.macs[node.index] // (height * width)
        done_r = np.array([w.tensors[name].exec_total for _, w in rows])
        done_c = np.array([w.tensors[name].exec_total for _, w in cols])
        total += np.outer(done_r, done_c) * per_pixel
    return total
