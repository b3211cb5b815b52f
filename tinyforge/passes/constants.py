"""Constant folding: operators with only constant inputs become constants."""

from __future__ import annotations

from tinyforge.interp.fold import fold_node
from tinyforge.ir.graph import Graph, Node, replace_graph
from tinyforge.ops.base import Op


def fold_constants(graph: Graph) -> Graph:
    """Evaluates with the operators' own integer references, so nothing changes. Model outputs stay computed."""
    tensors = dict(graph.tensors)
    nodes: list[Node] = []
    for node in graph.nodes:
        assert isinstance(node.op, Op)
        ins = [tensors[name] for name in node.inputs]
        keep = any(name in graph.outputs for name in node.outputs)
        folded = None if keep else fold_node(node.op, ins, graph.outs(node))
        if folded is None:
            nodes.append(node)
        else:
            tensors.update({tensor.name: tensor for tensor in folded})
    return replace_graph(graph, nodes=nodes, tensors=tensors)
