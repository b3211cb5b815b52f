"""Fuses a RELU, RELU6 or RELU_N1_TO_1 into the operator before it, where both clamp on the same quanta."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tinyforge.ir.graph import Graph, Node, replace_graph
from tinyforge.ops.base import Activation

_CLAMPS = {"relu": Activation.RELU, "relu6": Activation.RELU6, "relu_n1_to_1": Activation.RELU_N1_TO_1}
_PRODUCERS = frozenset(
    {
        "conv2d",
        "depthwise_conv2d",
        "transpose_conv",
        "fully_connected",
        "average_pool2d",
        "max_pool2d",
        "add",
        "sub",
        "mul",
    }
)


def fuse_activations(graph: Graph) -> Graph:
    """Exact only when the activation does not requantise: same scale and zero point before and after. Then it is the
    clamp that the producer does anyway. The producer must have no activation and no other reader."""
    producer, consumers = graph.producer(), graph.consumers()
    nodes: dict[int, Node] = dict(enumerate(graph.nodes))
    for i, node in enumerate(graph.nodes):
        source = node.inputs[0] if node.inputs else ""
        if node.op.kind not in _CLAMPS or source not in producer or source in graph.outputs:
            continue
        at = producer[source]
        op: Any = nodes[at].op
        alone = consumers[source] == [i]
        same = graph.tensors[source].type == graph.outs(node)[0].type
        if alone and same and op.kind in _PRODUCERS and op.activation is Activation.NONE:
            fused = replace(op, activation=_CLAMPS[node.op.kind])
            nodes[at] = Node(node.name, fused, nodes[at].inputs, node.outputs, node.source)
            del nodes[i]
    return replace_graph(graph, nodes=[nodes[i] for i in sorted(nodes)])
