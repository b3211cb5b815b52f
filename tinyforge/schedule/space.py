"""What the optimiser asks about a graph, as plain numbers in lists: tensors and nodes by index, no objects to walk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from tinyforge.ir.graph import Graph
from tinyforge.ir.program import KernelCall
from tinyforge.ops.base import Op
from tinyforge.schedule.cycles import NodeCost

Axis = tuple[int, int, int, int]
"""num, den, lo, hi of an AxisMap."""


@dataclass(frozen=True, slots=True)
class Read:
    """One activation that a windowed node reads, with the maps of its rows and columns."""

    tensor: int
    rows: Axis
    cols: Axis


@dataclass(frozen=True, slots=True)
class WindowedNode:
    """A node that can run piece by piece. ``domain``: the tensor its pieces are pieces of (the output; the input of a
    reduction). ``in_place``: tensors its output may overwrite element by element."""

    index: int
    reads: tuple[Read, ...]
    output: int
    domain: int
    reduces: bool
    scratch: int
    macs: int
    in_place: tuple[int, ...]
    cost: NodeCost


@dataclass(frozen=True, slots=True, eq=False)
class Space:
    """Facts of a graph. Tensors (activations only) and nodes by index.

    ``height``, ``width``, ``pixel``, ``nbytes``: of each tensor, bytes; aliases count nothing. ``made``: index of the
    node that makes it, -1 for graph inputs; ``read``: of its last reader, the number of nodes for graph outputs.
    ``windowed[i]``: None where node i needs whole tensors. ``macs[i]``: of the whole operator. ``crossing[i]``: bytes
    of tensors made before node i and read by it or later; ``around[i]``: the least of that for any node up to i.
    ``layer_bytes[i]``: bytes alive while node i runs as a layer.
    """

    graph: Graph
    calls: Sequence[KernelCall]
    names: tuple[str, ...]
    height: tuple[int, ...]
    width: tuple[int, ...]
    pixel: tuple[int, ...]
    nbytes: tuple[int, ...]
    made: tuple[int, ...]
    read: tuple[int, ...]
    readers: tuple[tuple[int, ...], ...]
    windowed: tuple[WindowedNode | None, ...]
    macs: tuple[int, ...]
    crossing: tuple[int, ...]
    around: tuple[int, ...]
    layer_bytes: tuple[int, ...]
    layer_cycles: tuple[int, ...]

    @property
    def count(self) -> int:
        return len(self.macs)

    @property
    def total_macs(self) -> int:
        """What the network needs: nodes that repeat others do not count."""
        return self.own_macs(0, self.count - 1)

    def own_macs(self, first: int, last: int) -> int:
        """MACs that nodes first..last need, those that repeat others none."""
        return sum(self.macs[i] for i in range(first, last + 1) if not self.graph.nodes[i].repeats)

    @property
    def input(self) -> int:
        """The graph's first input."""
        return self.names.index(self.graph.inputs[0])


def make_space(graph: Graph, calls: Sequence[KernelCall], costs: Sequence[NodeCost]) -> Space:
    """Collect the facts. ``costs``: of each node; those of faster calls than ``calls``, if the plan may get them."""
    count = len(graph.nodes)
    names = tuple(dict.fromkeys((*graph.inputs, *(t for n in graph.nodes for t in n.outputs))))
    ids = {t: i for i, t in enumerate(names)}
    types = [graph.tensors[t].type for t in names]
    shapes = [t.hwc for t in types]
    producer, consumers = graph.producer(), graph.consumers()
    made = [producer.get(t, -1) for t in names]
    read = [max(consumers.get(t, [m])) for t, m in zip(names, made, strict=True)]
    for t in graph.outputs:
        read[ids[t]] = count
    nbytes = [t.nbytes for t in types]
    for i in reversed(range(count)):
        if calls[i].alias and graph.nodes[i].inputs[calls[i].in_place[0]] in ids:
            source, target = ids[graph.nodes[i].inputs[calls[i].in_place[0]]], ids[graph.nodes[i].outputs[0]]
            read[source] = max(read[source], read[target])
            nbytes[target] = 0
    windowed = tuple(_windowed(graph, calls[i], costs[i], ids, i) for i in range(count))
    macs = tuple(_macs(graph, i) for i in range(count))
    crossing = _crossing(count, made, read, nbytes)
    alive = [c + sum(nbytes[ids[t]] for t in graph.nodes[i].outputs) for i, c in enumerate(crossing[:count])]
    return Space(
        graph=graph,
        calls=calls,
        names=names,
        height=tuple(s[0] for s in shapes),
        width=tuple(s[1] for s in shapes),
        pixel=tuple(s[2] * t.dtype.itemsize for s, t in zip(shapes, types, strict=True)),
        nbytes=tuple(nbytes),
        made=tuple(made),
        read=tuple(read),
        readers=tuple(tuple(consumers.get(t, ())) for t in names),
        windowed=windowed,
        macs=macs,
        crossing=crossing,
        around=tuple(accumulate(crossing, min)),
        layer_bytes=tuple(
            alive[i] + calls[i].scratch_bytes - _saving(graph, calls[i], ids, i, read, nbytes, windowed[i], shapes)
            for i in range(count)
        ),
        layer_cycles=tuple(c.layer for c in costs),
    )


def _crossing(count: int, made: Sequence[int], read: Sequence[int], nbytes: Sequence[int]) -> tuple[int, ...]:
    """For each node, bytes made before it and still to be read."""
    change = [0] * (count + 2)
    for m, r, size in zip(made, read, nbytes, strict=True):
        if r > m:
            change[m + 1] += size
            change[r + 1] -= size
    total, found = 0, []
    for delta in change[: count + 1]:
        total += delta
        found.append(total)
    return tuple(found)


def _windowed(graph: Graph, call: KernelCall, cost: NodeCost, ids: dict[str, int], index: int) -> WindowedNode | None:
    node = graph.nodes[index]
    ins, outs = graph.ins(node), graph.outs(node)
    assert isinstance(node.op, Op)
    reduces = node.op.accumulates(ins, outs)
    if len(outs) != 1 or call.form not in ("rows", "reduce") or (call.form == "reduce") != reduces:
        return None
    if not reduces and (len(outs[0].shape) != 4 or outs[0].shape[0] != 1):
        return None
    reads = []
    for i, tensor in enumerate(ins):
        if tensor.is_constant:
            continue
        axes = node.op.axes(ins, outs, i)
        if len(tensor.shape) != 4 or (axes is None and not reduces):
            return None
        maps = ((1, 1, 0, 0),) * 2 if reduces or axes is None else tuple((m.num, m.den, m.lo, m.hi) for m in axes)
        reads.append(Read(ids[tensor.name], maps[0], maps[1]))
    if not reads or (reduces and len(reads) != 1):
        return None
    return WindowedNode(
        index=index,
        reads=tuple(reads),
        output=ids[outs[0].name],
        domain=reads[0].tensor if reduces else ids[outs[0].name],
        reduces=reduces,
        scratch=call.scratch_bytes,
        macs=_macs(graph, index),
        in_place=tuple(ids[node.inputs[i]] for i in call.in_place if node.inputs[i] in ids),
        cost=cost,
    )


def _macs(graph: Graph, index: int) -> int:
    node = graph.nodes[index]
    assert isinstance(node.op, Op)
    return node.op.macs(graph.ins(node), graph.outs(node))


def _saving(
    graph: Graph,
    call: KernelCall,
    ids: dict[str, int],
    index: int,
    read: Sequence[int],
    nbytes: Sequence[int],
    windowed: WindowedNode | None,
    shapes: Sequence[tuple[int, int, int]],
) -> int:
    """Bytes that the output of a layer shares with an input that dies there: all of it in place, or most of it where
    rows of the input are done with before the output reaches them."""
    node = graph.nodes[index]
    target = ids[node.outputs[0]]
    best = 0
    for i in call.in_place:
        source = ids.get(node.inputs[i], -1)
        if source >= 0 and read[source] == index and nbytes[source] == nbytes[target] and not call.alias:
            best = max(best, nbytes[source])
    if windowed is None or windowed.reduces:
        return best
    for r in windowed.reads:
        if read[r.tensor] == index and nbytes[r.tensor]:
            if call.merge_rows and shapes[r.tensor][1] < MERGED_SLACK:
                continue
            row_out, row_in = (nbytes[t] // max(shapes[t][0], 1) for t in (target, r.tensor))
            d = overlap(1, shapes[target][0], row_out, r.rows[0], r.rows[2], row_in)
            shared = nbytes[r.tensor] + nbytes[target] - max(nbytes[target], d + nbytes[r.tensor])
            best = max(best, shared) if r.rows[1] == 1 else best
    return best


MERGED_SLACK = 8
"""Pixels a merged kernel may read ahead."""


def overlap(step: int, height: int, row_out: int, advance: int, first: int, row_in: int) -> int:
    """Least distance in bytes from the start of an output to the start of an input above it, where band b writes output
    rows below (b + 1) * step and reads no input row below b * advance + first from then on."""
    bands = -(-height // step)
    distance = 0
    turn = -(first // advance) if advance else 0
    for band in {0, min(max(turn, 0), bands - 1), min(max(turn - 1, 0), bands - 1), bands - 1}:
        written = min((band + 1) * step, height) * row_out
        distance = max(distance, written - max(band * advance + first, 0) * row_in)
    return distance
