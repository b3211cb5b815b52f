"""Small building blocks of passes: substituting tensors, fresh names, sorting nodes, dropping what nobody reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tinyforge.ir.graph import Graph, Node, replace_graph


def redirect(nodes: Sequence[Node], renamed: Mapping[str, str]) -> list[Node]:
    """The nodes reading ``renamed[x]`` instead of x (chains are followed)."""

    def final(name: str) -> str:
        while name in renamed:
            name = renamed[name]
        return name

    return [replace(node, inputs=tuple(final(name) for name in node.inputs)) for node in nodes]


def fresh_name(graph: Graph, wanted: str) -> str:
    """``wanted``, or with the first suffix that makes it a tensor name the graph does not have."""
    name, i = wanted, 1
    while name in graph.tensors:
        name, i = f"{wanted}_{i}", i + 1
    return name


def drop_unread(graph: Graph) -> Graph:
    """Without nodes whose outputs nobody reads."""
    wanted = set(graph.outputs)
    kept: list[Node] = []
    for node in reversed(graph.nodes):
        if wanted & set(node.outputs):
            kept.append(node)
            wanted.update(node.inputs)
    return replace_graph(graph, nodes=kept[::-1])
