"""Moves a TRANSPOSE behind a MEAN or SUM: the reduction then reads the tensor as it lies in memory, and what is left to
transpose is smaller or nothing (a channels-first global average pool becomes a channels-last one)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tinyforge.ir.graph import Graph, Node, Tensor, replace_graph
from tinyforge.ir.types import TensorType
from tinyforge.ops import OPS
from tinyforge.passes.rewrite import drop_unread, fresh_name

_REDUCTIONS = frozenset({"mean", "sum"})
_SPECIAL = (1, 2)  # the reference kernels treat MEAN over rows and columns of rank 4 in a way of its own


def sink_transposes(graph: Graph) -> Graph:
    """Until nothing changes: MEAN(TRANSPOSE(x)) -> TRANSPOSE(MEAN(x)). Sums of integers do not depend on their order,
    and each output element is rounded by itself, so the result is the same."""
    changed = True
    while changed:
        graph, changed = _sink_one(graph)
    return graph


def _sink_one(graph: Graph) -> tuple[Graph, bool]:
    producer = graph.producer()
    consumers = graph.consumers()
    for i, node in enumerate(graph.nodes):
        if node.op.kind not in _REDUCTIONS or node.inputs[0] not in producer:
            continue
        before = graph.nodes[producer[node.inputs[0]]]
        shared = len(consumers[node.inputs[0]]) > 1 or node.inputs[0] in graph.outputs
        if before.op.kind == "transpose" and not shared and _allowed(graph, before, node):
            return _swap(graph, i, before), True
    return graph, False


def _moved_axes(before: Node, node: Node) -> tuple[int, ...]:
    transpose: Any = before.op
    reduction: Any = node.op
    return tuple(sorted(transpose.perm[a] for a in reduction.reduce_axes))


def _allowed(graph: Graph, before: Node, node: Node) -> bool:
    """Not where the reduction would get or lose the reference's special treatment, or quantisation changes."""
    op: Any = node.op
    x, y = graph.ins(before)[0], graph.outs(before)[0]
    special = len(x.shape) == 4 and (tuple(op.reduce_axes) == _SPECIAL) != (_moved_axes(before, node) == _SPECIAL)
    return not special and x.type.quant == y.type.quant


def _swap(graph: Graph, index: int, before: Node) -> Graph:
    """The reduction reads the transpose's input; a transpose of its (smaller) result follows."""
    node = graph.nodes[index]
    x, out = graph.ins(before)[0], graph.outs(node)[0]
    transpose: Any = before.op
    axes = _moved_axes(before, node)
    reduction: Any = replace(node.op, reduce_axes=axes)  # type: ignore[type-var]
    name = fresh_name(graph, f"{out.name}/channels_last")
    reduced = Tensor(name, TensorType(reduction.infer([x])[0], out.type.dtype, out.type.quant))
    perm = _remaining(transpose.perm, axes, reduction.keep_dims)
    middle = Node(name, reduction, (x.name, *node.inputs[1:]), (name,))
    last = Node(node.name, OPS["transpose"](perm=perm), (name,), node.outputs, node.source)  # type: ignore[call-arg]
    nodes = [*graph.nodes[:index], middle, last, *graph.nodes[index + 1 :]]
    return drop_unread(replace_graph(graph, nodes=nodes, tensors={**graph.tensors, name: reduced}))


def _remaining(perm: tuple[int, ...], axes: tuple[int, ...], keep_dims: bool) -> tuple[int, ...]:
    """The permutation between the reduced tensor and what the file has: with reduced dimensions kept it is the same."""
    if keep_dims:
        return perm
    kept = [axis for axis in range(len(perm)) if axis not in axes]
    return tuple(kept.index(axis) for axis in perm if axis not in axes)
