"""Depthwise convolutions of one input channel become ordinary ones, which is the same sum on faster kernels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tinyforge.ir.graph import Graph, Node, Tensor, replace_graph
from tinyforge.ir.types import TensorType
from tinyforge.ops.conv2d import Conv2D
from tinyforge.ops.depthwise_conv2d import DepthwiseConv2D
from tinyforge.passes.rewrite import fresh_name

LEAST = 2  # output channels; the kernels of ordinary convolutions work on pairs


def widen_one_channel(graph: Graph) -> Graph:
    """Every depthwise convolution of one input channel and several output channels as a CONV_2D."""
    for i, node in enumerate(graph.nodes):
        op = node.op
        if isinstance(op, DepthwiseConv2D) and graph.ins(node)[0].shape[3] == 1 and op.multiplier >= LEAST:
            weights = _by_output(graph, graph.ins(node)[1])
            conv = Conv2D(op.stride, op.dilation, op.padding, op.activation)
            widened = replace(node, op=conv, inputs=(node.inputs[0], weights.name, *node.inputs[2:]))
            graph = _with(graph, i, widened, weights)
    return graph


def _by_output(graph: Graph, w: Tensor) -> Tensor:
    """Weights (1, KH, KW, O) as (O, KH, KW, 1)."""
    data = np.ascontiguousarray(w.array().transpose(3, 1, 2, 0))
    quant = w.type.quant
    if quant is not None and quant.per_channel:
        quant = replace(quant, axis=0)
    return Tensor(fresh_name(graph, f"{w.name}/by_output"), TensorType(data.shape, w.type.dtype, quant), data)


def _with(graph: Graph, index: int, node: Node, weights: Tensor) -> Graph:
    nodes = (*graph.nodes[:index], node, *graph.nodes[index + 1 :])
    return replace_graph(graph, nodes=nodes, tensors={**graph.tensors, weights.name: weights})
