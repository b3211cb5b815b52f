"""Depthwise convolutions of one input channel become ordinary ones, which is the same sum on faster kernels."""

from __future__ import annotations

from dataclasses import replace

from tinyforge.ir.graph import Graph, replace_graph, swap_ends
from tinyforge.ops.conv2d import Conv2D
from tinyforge.ops.depthwise_conv2d import DepthwiseConv2D
from tinyforge.passes.rewrite import fresh_name

LEAST = 2  # output channels; the kernels of ordinary convolutions work on pairs


def widen_one_channel(graph: Graph) -> Graph:
    """Every depthwise convolution of one input channel and several output channels as a CONV_2D."""
    nodes, tensors = list(graph.nodes), dict(graph.tensors)
    for i, node in enumerate(nodes):
        op = node.op
        if isinstance(op, DepthwiseConv2D) and graph.ins(node)[0].shape[3] == 1 and op.multiplier >= LEAST:
            x, w, *bias = node.inputs
            name = fresh_name(graph, f"{w}/by_output")
            tensors[name] = swap_ends(graph.tensors[w], name, 0)
            conv = Conv2D(op.stride, op.dilation, op.padding, op.activation)
            nodes[i] = replace(node, op=conv, inputs=(x, name, *bias))
    return replace_graph(graph, nodes=nodes, tensors=tensors)
