"""Folds PAD into the operator that reads it, where that one's own padding means the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tinyforge.ir.graph import Graph, Node, Tensor, replace_graph
from tinyforge.ops.base import Op
from tinyforge.passes.rewrite import drop_unread

_READS_ZERO_POINT = frozenset({"conv2d", "depthwise_conv2d"})  # outside the tensor they read the zero point


def fold_pad(graph: Graph) -> Graph:
    """PAD with the zero point becomes padding of a convolution; PAD with the lowest quantum becomes padding of a max
    pool (which ignores what is outside). Average pools count only what is inside, so theirs stays. Until nothing
    changes: a PAD may follow another one."""
    while (folded := _fold_once(graph)) is not None:
        graph = folded
    return graph


def _fold_once(graph: Graph) -> Graph | None:
    producer = graph.producer()
    nodes: list[Node] = []
    for node in graph.nodes:
        source = producer.get(node.inputs[0], -1) if node.inputs else -1
        pad = graph.nodes[source] if source >= 0 else None
        if pad is not None and pad.op.kind == "pad" and node.inputs[0] not in node.inputs[1:]:
            node = _folded(graph, pad, node)
        nodes.append(node)
    if all(new is old for new, old in zip(nodes, graph.nodes, strict=True)):
        return None
    return drop_unread(replace_graph(graph, nodes=nodes))


def _folded(graph: Graph, pad: Node, node: Node) -> Node:
    """The node reading the unpadded tensor, or unchanged where that would not be the same."""
    before, after = graph.ins(pad)[0], graph.outs(pad)[0]
    op: Any = node.op
    spatial = _spatial(pad.op)
    if spatial is None or before.type.quant != after.type.quant or before.type.dtype is not after.type.dtype:
        return node
    if not _same_meaning(pad.op, after, op):
        return node
    padding = tuple(a + b for a, b in zip(op.padding, spatial, strict=True))
    if node.op.kind == "max_pool2d" and not _windows_stay_inside(padding, op.size):
        return node
    folded: Op = replace(op, padding=padding)
    return replace(node, op=folded, inputs=(before.name, *node.inputs[1:]))


def _spatial(op: Any) -> tuple[int, int, int, int] | None:
    """(top, bottom, left, right) of a PAD that only touches rows and columns of a rank-4 tensor."""
    table = op.paddings
    if len(table) != 4 or any(table[0]) or any(table[3]):
        return None
    return (*table[1], *table[2])


def _same_meaning(pad: Any, after: Tensor, op: Any) -> bool:
    value = after.type.zero_point if pad.value is None else pad.value
    if op.kind in _READS_ZERO_POINT:
        return bool(value == after.type.zero_point)
    return bool(op.kind == "max_pool2d" and value == after.type.dtype.limits[0])


def _windows_stay_inside(padding: tuple[int, ...], size: tuple[int, int]) -> bool:
    """Every window must see at least one real element, or the pool would have nothing to compare."""
    return max(padding[:2]) < size[0] and max(padding[2:]) < size[1]
