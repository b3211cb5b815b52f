"""Folds a crop of rows and columns into the padding of the convolution before it, which then does not compute what is
thrown away."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tinyforge.errors import UnsupportedModel
from tinyforge.ir.graph import Graph, Node, replace_graph
from tinyforge.ops.base import Op

_CONVOLUTIONS = frozenset({"conv2d", "depthwise_conv2d"})


def fold_crops(graph: Graph) -> Graph:
    """SLICE of a convolution that nobody else reads: the first rows go by less padding at the top, the last ones by
    less at the bottom. Only where that gives exactly the cropped shape."""
    producer, consumers = graph.producer(), graph.consumers()
    nodes: dict[int, Node] = dict(enumerate(graph.nodes))
    for i, node in enumerate(graph.nodes):
        source = node.inputs[0] if node.inputs else ""
        if node.op.kind != "slice" or source not in producer or source in graph.outputs:
            continue
        at = producer[source]
        same = graph.tensors[source].type.quant == graph.outs(node)[0].type.quant
        if not same or consumers[source] != [i] or nodes[at].op.kind not in _CONVOLUTIONS:
            continue
        op = _cropped(graph, nodes[at], node)
        if op is not None:
            nodes[at] = Node(node.name, op, nodes[at].inputs, node.outputs, node.source)
            del nodes[i]
    return replace_graph(graph, nodes=[nodes[i] for i in sorted(nodes)])


def _cropped(graph: Graph, conv: Node, crop: Node) -> Op | None:
    op: Any = conv.op
    cut: Any = crop.op
    ins, want = graph.ins(conv), graph.outs(crop)[0].shape
    if len(want) != 4 or cut.begin[0] or cut.begin[3] or want[3] != graph.outs(conv)[0].shape[3]:
        return None
    padding: list[int] = []
    for axis in (0, 1):
        before = op.padding[2 * axis] - cut.begin[1 + axis] * op.stride[axis]
        reach = (ins[1].shape[1 + axis] - 1) * op.dilation[axis] + 1
        needed = (want[1 + axis] - 1) * op.stride[axis] + reach
        padding += [before, max(0, needed - ins[0].shape[1 + axis] - before)]
    if min(padding) < 0:
        return None
    folded: Op = replace(op, padding=tuple(padding))
    try:
        return folded if folded.infer(ins)[0] == want else None
    except UnsupportedModel:
        return None
