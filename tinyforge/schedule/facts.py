"""What the fast level asks about one layer, found from shapes alone and remembered by structure: layers of thousands of
candidate networks repeat."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from tinyforge.ir.graph import Graph, Tensor
from tinyforge.ir.program import KernelCall
from tinyforge.ir.types import DType, Quant, TensorType
from tinyforge.ir.window import IDENTITY, AxisMap
from tinyforge.ops.base import Op
from tinyforge.schedule.space import MERGED_SLACK, overlap

AxisFacts = tuple[int, int, int]
"""stride, reach = (K - 1) * dilation, padding: output [a, b) reads [a*stride - pad, (b-1)*stride + reach - pad]."""


class Call(NamedTuple):
    """What counts of a kernel call. ``slimmer``: its variant with the least scratch is meant."""

    form: str
    scratch_bytes: int
    in_place: tuple[int, ...]
    alias: bool = False
    merge_rows: bool = False
    slimmer: bool = False


class LayerFacts(NamedTuple):
    """One layer. ``rows``, ``cols``: of each activation input; empty for a barrier, which needs whole tensors. A stride
    of 0 is a broadcast. ``saves``: for each activation input, bytes the output of the whole layer shares with it where
    it dies here. ``nbytes``: of all outputs. ``alias``: the output is the input's bytes."""

    height: int
    width: int
    pixel: int
    nbytes: int
    macs: int
    scratch: int
    rows: tuple[AxisFacts, ...]
    cols: tuple[AxisFacts, ...]
    reduces: bool
    alias: bool
    saves: tuple[int, ...]
    in_place: tuple[bool, ...]


TypeKey = tuple[tuple[int, ...], DType]


def graph_facts(graph: Graph, calls: Sequence[KernelCall], slim: bool = False) -> list[LayerFacts]:
    """Facts of every node of ``graph`` run by ``calls``, or, if ``slim``, by their variants of the least scratch."""
    tensors = graph.tensors
    found = []
    for node, call in zip(graph.nodes, calls, strict=True):
        assert isinstance(node.op, Op)
        ins = tuple((tensors[t].type.shape, tensors[t].type.dtype, tensors[t].data is None) for t in node.inputs)
        outs = tuple((tensors[t].type.shape, tensors[t].type.dtype) for t in node.outputs)
        slimmer = slim and call.scratch_bytes > 0 and not any(tensors[t].type.zero_point for t in node.inputs[1:2])
        kept = Call(call.form, call.scratch_bytes, call.in_place, call.alias, call.merge_rows, slimmer)
        found.append(layer_facts(node.op, ins, outs, kept))
    return found


@lru_cache(maxsize=100_000)
def layer_facts(
    op: Op, ins: tuple[tuple[tuple[int, ...], DType, bool], ...], outs: tuple[TypeKey, ...], call: Call
) -> LayerFacts:
    """Facts of one operator; ``ins``: (shape, element type, is an activation) of each input."""
    inputs = tuple(stand_in(str(i), shape, dtype, constant=not live) for i, (shape, dtype, live) in enumerate(ins))
    outputs = tuple(stand_in("out", shape, dtype) for shape, dtype in outs)
    height, width, channels = outputs[0].type.hwc
    reduces = op.accumulates(inputs, outputs)
    maps = _maps(op, inputs, outputs, call, reduces)
    live = [i for i, t in enumerate(inputs) if not t.is_constant]
    nbytes = 0 if call.alias else sum(t.type.nbytes for t in outputs)
    return LayerFacts(
        height=height,
        width=width,
        pixel=channels * outputs[0].type.dtype.itemsize,
        nbytes=nbytes,
        macs=op.macs(inputs, outputs),
        scratch=min(call.scratch_bytes, op.least_scratch(inputs, outputs)) if call.slimmer else call.scratch_bytes,
        rows=tuple(_axis(m[0]) for m in maps),
        cols=tuple(_axis(m[1]) for m in maps),
        reduces=reduces and bool(maps),
        alias=call.alias,
        saves=tuple(_saves(inputs, outputs, i, call, maps[k] if maps else None) for k, i in enumerate(live)),
        in_place=tuple(i in call.in_place for i in live),
    )


def stand_in(name: str, shape: tuple[int, ...], dtype: DType, constant: bool = False) -> Tensor:
    """A tensor of that shape; a constant's content takes no memory."""
    quant = Quant((1.0,), (0,))
    data = np.broadcast_to(np.zeros((), dtype.numpy), shape) if constant else None
    return Tensor(name, TensorType(shape, dtype, quant), data)


def _axis(m: AxisMap) -> AxisFacts:
    return m.num, m.hi - m.lo, -m.lo


def _maps(
    op: Op, ins: Sequence[Tensor], outs: Sequence[Tensor], call: Call, reduces: bool
) -> tuple[tuple[AxisMap, AxisMap], ...]:
    """Row and column maps of the activation inputs; empty where the operator cannot run piece by piece, or steps do
    not repeat from band to band (upsampling: only the full level fuses over it)."""
    if len(outs) != 1 or call.form not in ("rows", "reduce") or (call.form == "reduce") != reduces:
        return ()
    live = [i for i, t in enumerate(ins) if not t.is_constant]
    if any(len(ins[i].shape) != 4 or ins[i].shape[0] != 1 for i in live):
        return ()
    if reduces:
        return ((IDENTITY, IDENTITY),) if len(live) == 1 else ()
    if len(outs[0].shape) != 4:
        return ()
    found = []
    for i in live:
        axes = op.axes(ins, outs, i)
        if axes is None or axes[0].den != 1 or axes[1].den != 1:
            return ()
        found.append(axes)
    return tuple(found)


def _saves(
    ins: Sequence[Tensor], outs: Sequence[Tensor], index: int, call: Call, maps: tuple[AxisMap, AxisMap] | None
) -> int:
    """As ``space``: all of an input that the output replaces in place, most of one whose rows are done with in time."""
    source, target = ins[index].type, outs[0].type
    if call.alias:
        return 0
    if index in call.in_place and source.nbytes == target.nbytes:
        return source.nbytes
    if maps is None or call.form == "reduce" or (call.merge_rows and source.hwc[1] < MERGED_SLACK):
        return 0
    row_out, row_in = target.nbytes // max(target.hwc[0], 1), source.nbytes // max(source.hwc[0], 1)
    distance = overlap(1, target.hwc[0], row_out, maps[0].num, maps[0].lo, row_in)
    return source.nbytes + target.nbytes - max(target.nbytes, distance + source.nbytes)
