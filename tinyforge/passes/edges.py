"""Float edges: QUANTIZE of a float model input and DEQUANTIZE to a float model output become adapters of the caller."""

from __future__ import annotations

from dataclasses import replace

from tinyforge.ir.graph import Adapter, Graph, Node, replace_graph
from tinyforge.ir.types import DType
from tinyforge.passes.rewrite import drop_unread


def strip_float_edges(graph: Graph) -> Graph:
    """The network takes and gives int8. An edge stays float where the float tensor has other readers, or where one int8
    tensor would become two model outputs."""
    for name in graph.inputs:
        graph = _strip_input(graph, name)
    for name in graph.outputs:
        graph = _strip_output(graph, name)
    return drop_unread(graph)


def _strip_input(graph: Graph, name: str) -> Graph:
    readers = [graph.nodes[i] for i in graph.consumers().get(name, [])]
    tensor = graph.tensors[name]
    if tensor.type.dtype is not DType.FLOAT32 or len(readers) != 1 or name in graph.outputs:
        return graph
    node = readers[0]
    target = graph.outs(node)[0]
    if node.op.kind != "quantize" or target.type.dtype is not DType.INT8 or target.name in graph.outputs:
        return graph
    adapter = Adapter("quantize", tensor.shape, "float32", target.type.scale, target.type.zero_point)
    return _replace_edge(graph, node, name, target.name, adapter)


def _strip_output(graph: Graph, name: str) -> Graph:
    maker = graph.producer().get(name)
    if maker is None or graph.outputs.count(name) > 1 or graph.consumers().get(name):
        return graph
    node = graph.nodes[maker]
    source = graph.ins(node)[0]
    if node.op.kind != "dequantize" or source.type.dtype is not DType.INT8:
        return graph
    if source.name in graph.outputs or source.name in graph.inputs or source.data is not None:
        return graph
    adapter = Adapter("dequantize", graph.tensors[name].shape, "float32", source.type.scale, source.type.zero_point)
    return _replace_edge(graph, node, name, source.name, adapter)


def _replace_edge(graph: Graph, node: Node, old: str, new: str, adapter: Adapter) -> Graph:
    """The graph without ``node``, its edge ``old`` now being ``new``; adapters stay in order, file side first."""
    adapters = {key: value for key, value in graph.adapters.items() if key != old}
    adapters[new] = (*graph.adapters.get(old, ()), adapter)
    stripped = replace(
        graph,
        inputs=tuple(new if name == old else name for name in graph.inputs),
        outputs=tuple(new if name == old else name for name in graph.outputs),
        adapters=adapters,
    )
    return replace_graph(stripped, nodes=[n for n in graph.nodes if n is not node])
