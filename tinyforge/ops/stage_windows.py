"""Which rows and columns every tensor of a fused stage needs and computes in every piece: the one definition.

Rows and columns are independent. Along one axis the pieces are i = -warm .. count-1; piece i >= 0 makes positions
[i*patch, min((i+1)*patch, extent)) of the stage's output. Walking the stage's nodes backwards, for piece i:

    need(t)    the stage's output: [i*patch, min((i+1)*patch, extent)); any other tensor: the join over its consumers
               in the stage of [lo, min(hi, extent)) where [lo, hi) = AxisMap.needed(comp(consumer)), consumers with an
               empty comp and demands that end empty left out. Not clipped at 0.
    comp(t)    RECOMPUTE and the stage's output: need(t). CACHE: [max(lo, done), hi) of need(t), where done is the
               largest hi of need(t) of earlier pieces (none before the first). Empty when hi <= lo.
    run(t)     comp(t) clipped to [0, extent) is not empty, and t is CACHE, the stage's output, or read by a node that
               runs in this piece.
    exec(t)    comp(t) clipped to [0, extent) where run(t), else empty: what the node really computes.

A stage that ends in a global reduction (``Op.accumulates``) has that node's input as its "output" above: the
reduction's need is the piece, a region of its input, through identity maps, and what it executes is what it adds up.
Tensors also read outside the stage are cached, and must be needed to their last row and column (``whole_tensors``).

A node with several outputs uses the join of their needs and one mode for all. Columns are walked the same way within
each band, with done forgotten when a band begins. A node runs in piece (band, column piece) when it runs on both axes,
and computes exec rows x exec columns. Tensors from outside are demanded (need) but not computed.

``warm`` pieces before the first let cached tensors run ahead evenly (positions below 0 do not exist, so a line buffer
never holds more than in the middle of the map): warm is the least number such that before it no cached tensor has
anything to compute; it is 0 where one piece covers the axis or nothing is cached.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyforge.ir.graph import Graph, Node, Tensor
from tinyforge.ir.schedule import FusedStage, Halo
from tinyforge.ir.types import IntArray
from tinyforge.ir.window import IDENTITY, AxisMap, Interval
from tinyforge.ops.base import Op

_BIG = 1 << 40


@dataclass(frozen=True, slots=True)
class StageNode:
    """One node of a stage: its activation inputs with their (rows, columns) maps, and its outputs.

    ``reduces``: a global reduction; the windows of its output are then windows of its input."""

    index: int
    inputs: tuple[tuple[str, AxisMap, AxisMap], ...]
    outputs: tuple[str, ...]
    reduces: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class AxisTensor:
    """One tensor along one axis, one entry per piece (warm-up first). Empty intervals have hi <= lo.

    need_lo/need_hi as defined above, need_lo clipped at 0 where not empty; exec_lo/exec_hi likewise. keep_lo: the
    lowest position this or a later piece needs. done: the end of what has been computed after the piece (CACHE only).
    """

    need_lo: IntArray
    need_hi: IntArray
    exec_lo: IntArray
    exec_hi: IntArray
    keep_lo: IntArray
    done: IntArray

    @property
    def need_size(self) -> int:
        return int(np.maximum(self.need_hi - self.need_lo, 0).max(initial=0))

    @property
    def exec_size(self) -> int:
        return int(np.maximum(self.exec_hi - self.exec_lo, 0).max(initial=0))

    @property
    def exec_total(self) -> int:
        return int(np.maximum(self.exec_hi - self.exec_lo, 0).sum())

    @property
    def held(self) -> int:
        """Most positions held at once when each is computed once: from the oldest still needed to the newest."""
        return int(np.maximum(self.done - self.keep_lo, 0).max(initial=0))

    @property
    def carried(self) -> bool:
        """Whether a piece needs positions that an earlier piece computed."""
        return bool((self.keep_lo[1:] < self.done[:-1]).any())


@dataclass(frozen=True, slots=True, eq=False)
class AxisWalk:
    """All pieces along one axis. ``valid`` is False where a cached tensor would skip positions needed later."""

    warm: int
    count: int
    tensors: Mapping[str, AxisTensor]
    valid: bool

    def needed(self, tensor: str, piece: int) -> Interval:
        """Clipped need in piece ``piece`` (negative: warm-up)."""
        t = self.tensors[tensor]
        return Interval(int(t.need_lo[piece + self.warm]), int(t.need_hi[piece + self.warm]))

    def executed(self, tensor: str, piece: int) -> Interval:
        t = self.tensors[tensor]
        return Interval(int(t.exec_lo[piece + self.warm]), int(t.exec_hi[piece + self.warm]))


def stage_nodes(graph: Graph, first: int, last: int) -> tuple[StageNode, ...] | None:
    """The nodes of a stage; None where one of them needs whole tensors (a barrier, or a reduction not at the end)."""
    found: list[StageNode] = []
    for index in range(first, last + 1):
        node = graph.nodes[index]
        ins, outs = graph.ins(node), graph.outs(node)
        assert isinstance(node.op, Op)
        if node.op.accumulates(ins, outs):
            reduction = _reduction(node, ins, outs, index) if index == last else None
            return (*found, reduction) if found and reduction else None
        inputs = []
        for i, tensor in enumerate(ins):
            if tensor.is_constant:
                continue
            axes = node.op.axes(ins, outs, i)
            if axes is None or len(tensor.shape) != 4:
                return None
            inputs.append((tensor.name, axes[0], axes[1]))
        if not inputs or any(len(t.shape) != 4 or t.shape[0] != 1 for t in outs):
            return None
        found.append(StageNode(index, tuple(inputs), node.outputs))
    return tuple(found)


def _reduction(node: Node, ins: Sequence[Tensor], outs: Sequence[Tensor], index: int) -> StageNode | None:
    """The node as the end of a stage if it sums over all rows and columns of its one input."""
    assert isinstance(node.op, Op)
    active = [t for t in ins if not t.is_constant]
    if not node.op.accumulates(ins, outs) or len(active) != 1 or len(outs) != 1 or len(active[0].shape) != 4:
        return None
    return StageNode(index, ((active[0].name, IDENTITY, IDENTITY),), node.outputs, True)


def walk_axis(
    nodes: tuple[StageNode, ...], axis: int, extents: Mapping[str, int], cached: frozenset[str], patch: int
) -> AxisWalk:
    """All pieces along one axis (0 rows, 1 columns). ``extents``: size of every tensor along it."""
    output = nodes[-1].outputs[0]
    count = -(-extents[output] // patch)
    warm = _warm_up(nodes, axis, extents, cached, patch) if count > 1 and cached else 0
    index = np.arange(-warm, count, dtype=np.int64)
    need: dict[str, tuple[IntArray, IntArray]] = {
        output: (index * patch, np.minimum((index + 1) * patch, extents[output]))
    }
    comp: dict[str, tuple[IntArray, IntArray]] = {}
    tensors: dict[str, AxisTensor] = {}
    running: dict[str, npt.NDArray[np.bool_]] = {}
    valid = True
    for node in reversed(nodes):
        lo, hi = _join_all([need[t] for t in node.outputs if t in need], index.size)
        in_cache = node.outputs[0] in cached
        previous = np.concatenate(([-_BIG], np.maximum.accumulate(hi)[:-1]))
        keep = np.minimum.accumulate(lo[::-1])[::-1]
        if in_cache:
            valid = valid and not bool(((lo > previous) & (keep < lo) & (previous > -_BIG)).any())
            lo_c = np.maximum(lo, previous)
        else:
            lo_c = lo
        empty = hi <= lo_c
        comp_lo, comp_hi = np.where(empty, _BIG, lo_c), np.where(empty, -_BIG, hi)
        comp[node.outputs[0]] = comp_lo, comp_hi
        wanted = running.get(node.outputs[0])
        always = in_cache or node is nodes[-1]
        run = np.minimum(comp_hi, _BIG) > np.maximum(comp_lo, 0)
        if not always:
            for name in node.outputs[1:]:
                extra = running.get(name)
                wanted = extra if wanted is None else (wanted if extra is None else wanted | extra)
            run = run & wanted if wanted is not None else run & False
        for name in node.outputs:
            tensors[name] = _axis_tensor(lo, hi, comp_lo, comp_hi, run, keep)
        for name, *maps in node.inputs:
            demand = _demand(maps[axis], comp_lo, comp_hi, empty, extents[name])
            need[name] = _join_all([need[name], demand], index.size) if name in need else demand
            running[name] = running[name] | run if name in running else run
    made = {t for node in nodes for t in node.outputs}
    for name, (lo, hi) in need.items():
        if name not in made:
            keep = np.minimum.accumulate(lo[::-1])[::-1]
            idle = np.zeros(index.size, np.bool_)
            tensors[name] = _axis_tensor(lo, hi, lo, hi, idle, keep)
    return AxisWalk(warm, count, tensors, valid)


def _demand(
    m: AxisMap, lo: IntArray, hi: IntArray, empty: npt.NDArray[np.bool_], extent: int
) -> tuple[IntArray, IntArray]:
    """AxisMap.needed of many intervals, cut at the upper end of the tensor; empty ones stay empty."""
    first = (np.where(empty, 0, lo) * m.num + m.lo) // m.den
    end = np.minimum((np.where(empty, 0, hi - 1) * m.num + m.hi) // m.den + 1, extent)
    nothing = empty | (end <= first)
    return np.where(nothing, _BIG, first), np.where(nothing, -_BIG, end)


def _join_all(parts: list[tuple[IntArray, IntArray]], size: int) -> tuple[IntArray, IntArray]:
    lo, hi = np.full(size, _BIG, np.int64), np.full(size, -_BIG, np.int64)
    for part_lo, part_hi in parts:
        lo, hi = np.minimum(lo, part_lo), np.maximum(hi, part_hi)
    return lo, hi


def _axis_tensor(
    lo: IntArray, hi: IntArray, comp_lo: IntArray, comp_hi: IntArray, run: npt.NDArray[np.bool_], keep: IntArray
) -> AxisTensor:
    return AxisTensor(
        need_lo=np.maximum(lo, 0),
        need_hi=np.maximum(hi, 0),
        exec_lo=np.where(run, np.maximum(comp_lo, 0), 0),
        exec_hi=np.where(run, comp_hi, 0),
        keep_lo=np.maximum(keep, 0),
        done=np.maximum(np.maximum.accumulate(hi), 0),
    )


def _warm_up(
    nodes: tuple[StageNode, ...], axis: int, extents: Mapping[str, int], cached: frozenset[str], patch: int
) -> int:
    """Pieces before the first in which some cached tensor has something to compute."""
    output = nodes[-1].outputs[0]
    warm = 0
    while True:
        ends = {output: -warm * patch}
        for node in reversed(nodes):
            end = max(ends.get(t, -_BIG) for t in node.outputs)
            for name, *maps in node.inputs:
                m = maps[axis]
                if m.num == 0:  # broadcast: the same positions for every piece, nothing to run ahead for
                    continue
                reach = min(((end - 1) * m.num + m.hi) // m.den + 1, extents[name])
                ends[name] = max(reach, ends.get(name, -_BIG))
        if all(ends.get(t, 0) <= 0 for t in cached):
            return warm
        warm += 1


@dataclass(frozen=True, slots=True, eq=False)
class StageWalk:
    """Both axes of a fused stage. A piece is (band, column piece)."""

    stage: FusedStage
    nodes: tuple[StageNode, ...]
    rows: AxisWalk
    cols: AxisWalk

    @property
    def valid(self) -> bool:
        return self.rows.valid and self.cols.valid

    def executed_pixels(self, node: StageNode) -> int:
        """Output pixels the node computes over all pieces."""
        name = node.outputs[0]
        return self.rows.tensors[name].exec_total * self.cols.tensors[name].exec_total


def walk_stage(graph: Graph, stage: FusedStage) -> StageWalk:
    """The walk of a stage of ``graph``; ValueError where the stage holds a barrier."""
    nodes = stage_nodes(graph, stage.first, stage.last)
    if nodes is None:
        raise ValueError(f"nodes {stage.first}..{stage.last} cannot be fused: one needs whole tensors")
    names = {t for n in nodes for t in (*n.outputs, *(i[0] for i in n.inputs))}
    sizes = {t: graph.tensors[t].type.hwc for t in names}
    if nodes[-1].reduces:
        sizes[nodes[-1].outputs[0]] = sizes[nodes[-1].inputs[0][0]]
    modes = dict(stage.modes)
    row_cached = frozenset(t for t, m in modes.items() if m.rows is Halo.CACHE)
    col_cached = frozenset(t for t, m in modes.items() if m.cols is Halo.CACHE)
    rows = walk_axis(nodes, 0, {t: s[0] for t, s in sizes.items()}, row_cached, stage.patch_h)
    cols = walk_axis(nodes, 1, {t: s[1] for t, s in sizes.items()}, col_cached, stage.patch_w)
    return StageWalk(stage, nodes, rows, cols)


def whole_tensors(graph: Graph, stage: FusedStage) -> tuple[str, ...]:
    """Tensors made inside the stage, its output excepted, that are read outside it or are graph outputs."""
    consumers = graph.consumers()
    made = [t for i in range(stage.first, stage.last) for t in graph.nodes[i].outputs]
    return tuple(t for t in made if t in graph.outputs or any(c > stage.last for c in consumers.get(t, [])))


def executed_macs(graph: Graph, walk: StageWalk) -> int:
    """Multiply-accumulates of a fused stage, recomputation included."""
    total = 0
    for stage_node in walk.nodes:
        node = graph.nodes[stage_node.index]
        outs = graph.outs(node)
        assert isinstance(node.op, Op)
        if stage_node.reduces:
            continue
        height, width, _ = outs[0].type.hwc
        total += node.op.macs(graph.ins(node), outs) * walk.executed_pixels(stage_node) // (height * width)
    return total
