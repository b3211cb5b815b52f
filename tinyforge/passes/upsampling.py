"""Recognises upsampling by whole factors written as reshape, concatenation of copies, reshape: RESIZE_NEAREST_NEIGHBOR,
which needs no tensor of rank 5 and can run row by row."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tinyforge.ir.graph import Graph, Node, Tensor, replace_graph
from tinyforge.ops import OPS
from tinyforge.ops.base import Op
from tinyforge.passes.rewrite import drop_unread


def find_upsampling(graph: Graph) -> Graph:
    """Rows and columns one after the other; then two in a row become one."""
    producer = graph.producer()
    nodes: list[Node] = []
    for node in graph.nodes:
        found = _upsampled(graph, producer, node)
        nodes.append(node if found is None else found)
    return drop_unread(_joined(drop_unread(replace_graph(graph, nodes=nodes))))


def _upsampled(graph: Graph, producer: dict[str, int], node: Node) -> Node | None:
    """The resize that gives what ``node``, a reshape, gives."""
    if node.op.kind != "reshape" or node.inputs[0] not in producer:
        return None
    copies = graph.nodes[producer[node.inputs[0]]]
    if copies.op.kind != "concatenation" or len(set(copies.inputs)) > 1 or copies.inputs[0] not in producer:
        return None
    opened = graph.nodes[producer[copies.inputs[0]]]
    if opened.op.kind != "reshape":
        return None
    x, out = graph.ins(opened)[0], graph.outs(node)[0]
    concatenation: Any = copies.op
    axis, factor = concatenation.axis - 1, len(copies.inputs)
    if len(x.shape) != 4 or x.shape[0] != 1 or axis not in (1, 2) or x.type.quant != out.type.quant:
        return None
    between = (*x.shape[: axis + 1], 1, *x.shape[axis + 1 :])
    after = tuple(n * factor if i == axis else n for i, n in enumerate(x.shape))
    if graph.outs(opened)[0].shape != between or out.shape != after:
        return None
    op = _resize(x, after)
    return None if op is None else replace(node, op=op, inputs=(x.name,))


def _resize(x: Tensor, shape: tuple[int, ...]) -> Op | None:
    """A nearest resize to ``shape``, if its float32 positions are those of whole copies."""
    op: Any = OPS["resize_nearest_neighbor"](size=shape[1:3], align_corners=False, half_pixel_centers=False)  # type: ignore[call-arg]
    for size, out in zip(x.shape[1:3], shape[1:3], strict=True):
        factor = out // size
        if out % size or op.sources(size, out) != [i // factor for i in range(out)]:
            return None
    result: Op = op
    return result


def _joined(graph: Graph) -> Graph:
    """Resizes that read nothing but another one."""
    producer, consumers = graph.producer(), graph.consumers()
    nodes: list[Node] = []
    for node in graph.nodes:
        source = node.inputs[0] if node.inputs else ""
        before = graph.nodes[producer[source]] if source in producer else None
        same = before is not None and before.op.kind == node.op.kind == "resize_nearest_neighbor"
        if before is not None and same and source not in graph.outputs and len(consumers[source]) == 1:
            x, out = graph.ins(before)[0], graph.outs(node)[0]
            op = _resize(x, out.shape)
            whole = [_resize(x, graph.tensors[source].shape), _resize(graph.tensors[source], out.shape)]
            if op is not None and whole == [before.op, node.op]:
                node = replace(node, op=op, inputs=(x.name,))
        nodes.append(node)
    return replace_graph(graph, nodes=nodes)
