"""Removes operators that only hand their input on: reshapes to the same shape, identity transposes, slices of the
whole, pads by nothing, requantisation between equal quantisations; joins chains of reshapes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tinyforge.ir.graph import Graph, Node, Tensor, replace_graph
from tinyforge.ir.types import DType
from tinyforge.ops.base import Op
from tinyforge.passes.rewrite import drop_unread, redirect


def _same_type(node: Node, ins: tuple[Tensor, ...], outs: tuple[Tensor, ...]) -> bool:
    return ins[0].type == outs[0].type


def _attribute(node: Node, name: str) -> object:
    """An attribute by name: operators are looked at by kind, not by class."""
    return getattr(node.op, name)


def _identity_transpose(node: Node, ins: tuple[Tensor, ...], outs: tuple[Tensor, ...]) -> bool:
    return _attribute(node, "perm") == tuple(range(len(ins[0].shape))) and _same_type(node, ins, outs)


def _no_activation(node: Node, ins: tuple[Tensor, ...], outs: tuple[Tensor, ...]) -> bool:
    """A concatenation or pooling of one thing; only without a clamp."""
    return (
        len(ins) == 1 and _same_type(node, ins, outs) and getattr(_attribute(node, "activation"), "value", "") == "none"
    )


def _same_int8(node: Node, ins: tuple[Tensor, ...], outs: tuple[Tensor, ...]) -> bool:
    """Requantising to the same scale multiplies by exactly 1."""
    return ins[0].type.dtype is DType.INT8 and _same_type(node, ins, outs)


NOOPS: dict[str, Callable[[Node, tuple[Tensor, ...], tuple[Tensor, ...]], bool]] = {
    "reshape": _same_type,
    "transpose": _identity_transpose,
    "slice": _same_type,
    "pad": _same_type,
    "quantize": _same_int8,
    "concatenation": _no_activation,
    "split": lambda node, ins, outs: len(outs) == 1 and _same_type(node, ins, outs),
}


def drop_noops(graph: Graph) -> Graph:
    """Readers of a no-op read its input instead; those that make a model output are left
    to ``drop_noops_at_outputs``."""
    renamed: dict[str, str] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        test = NOOPS.get(node.op.kind)
        if test is not None and test(node, graph.ins(node), graph.outs(node)) and node.outputs[0] not in graph.outputs:
            renamed[node.outputs[0]] = node.inputs[0]
        else:
            nodes.append(node)
    return drop_unread(replace_graph(graph, nodes=redirect(nodes, renamed)))


def drop_noops_at_outputs(graph: Graph) -> Graph:
    """A no-op that makes a model output: its producer writes the output directly, where nothing else is concerned."""
    while (shorter := _without_one_noop(graph)) is not None:
        graph = shorter
    return graph


def _without_one_noop(graph: Graph) -> Graph | None:
    producer = graph.producer()
    nodes = list(graph.nodes)
    for i, node in enumerate(graph.nodes):
        test = NOOPS.get(node.op.kind)
        if test is None or node.outputs[0] not in graph.outputs or not test(node, graph.ins(node), graph.outs(node)):
            continue
        source, target = node.inputs[0], node.outputs[0]
        if source not in producer or source in graph.outputs:
            continue
        maker = nodes[producer[source]]
        nodes[producer[source]] = replace(maker, outputs=tuple(target if n == source else n for n in maker.outputs))
        nodes = redirect([n for n in nodes if n is not nodes[i]], {source: target})
        return replace_graph(graph, nodes=nodes)
    return None


def join_reshapes(graph: Graph) -> Graph:
    """A reshape of a reshape reads the first one's input."""
    producer = graph.producer()
    nodes: list[Node] = []
    for node in graph.nodes:
        source = node.inputs[0] if node.inputs else ""
        while node.op.kind == "reshape" and source in producer:
            before = graph.nodes[producer[source]]
            if before.op.kind != "reshape" or graph.tensors[source].type.quant != graph.outs(node)[0].type.quant:
                break
            source = before.inputs[0]
        nodes.append(replace(node, inputs=(source, *node.inputs[1:])))
    assert all(isinstance(n.op, Op) for n in nodes)
    return drop_unread(replace_graph(graph, nodes=nodes))
