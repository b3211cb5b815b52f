"""Float and int16 edges: QUANTIZE of a model input and DEQUANTIZE or QUANTIZE to a model output become adapters of the
caller."""

from __future__ import annotations

from dataclasses import replace

from tinyforge.ir.graph import Adapter, Graph, Node, Tensor, replace_graph
from tinyforge.ir.types import DType
from tinyforge.passes.rewrite import drop_unread


def strip_edges(graph: Graph) -> Graph:
    """The network takes and gives int8. An edge stays as it is where its tensor has other readers, or where one int8
    tensor would become two model outputs."""
    for name in graph.inputs:
        graph = _strip_input(graph, name)
    for name in graph.outputs:
        graph = _strip_output(graph, name)
    return drop_unread(graph)


def _strip_input(graph: Graph, name: str) -> Graph:
    readers = [graph.nodes[i] for i in graph.consumers().get(name, [])]
    if len(readers) != 1 or readers[0].op.kind != "quantize" or name in graph.outputs:
        return graph
    target = graph.outs(readers[0])[0]
    adapter = _adapter("quantize", graph.tensors[name], target)
    if adapter is None or target.name in graph.outputs:
        return graph
    return _replace_edge(graph, readers[0], name, target.name, adapter)


def _strip_output(graph: Graph, name: str) -> Graph:
    maker = graph.producer().get(name)
    if maker is None or graph.outputs.count(name) > 1 or graph.consumers().get(name):
        return graph
    node = graph.nodes[maker]
    if node.op.kind not in ("dequantize", "quantize"):
        return graph
    source = graph.ins(node)[0]
    adapter = _adapter("dequantize", graph.tensors[name], source)
    if adapter is None or source.name in graph.outputs or source.name in graph.inputs or source.data is not None:
        return graph
    return _replace_edge(graph, node, name, source.name, adapter)


def _adapter(kind: str, file: Tensor, network: Tensor) -> Adapter | None:
    """Between the file's tensor and the int8 one; None where the file's is neither float32 nor int16."""
    if network.type.dtype is not DType.INT8:
        return None
    scale, zero_point = network.type.scale, network.type.zero_point
    if file.type.dtype is DType.FLOAT32:
        return Adapter(kind, file.shape, "float32", scale, zero_point)
    if file.type.dtype is not DType.INT16:
        return None
    edge = Adapter("requantize", file.shape, "int16", scale, zero_point)
    return replace(edge, file_scale=file.type.scale, file_zero_point=file.type.zero_point)


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
