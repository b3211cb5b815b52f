"""What must hold for every graph between passes. A failure is a bug in tinyforge, not in the model."""

from __future__ import annotations

from tinyforge.errors import TinyforgeError
from tinyforge.ir.graph import Graph, Node
from tinyforge.ops.base import Op


def verify(graph: Graph, after: str) -> Graph:
    """Returns the graph. Raises TinyforgeError naming the pass when names repeat, an operator reads what is not there
    yet, shapes are not those the operator infers, contents do not match types, or an output is not computed."""
    known = {name for name, tensor in graph.tensors.items() if tensor.data is not None}
    _require(not known & set(graph.inputs), after, "a model input is a constant")
    known.update(graph.inputs)
    for name, tensor in graph.tensors.items():
        _require(name == tensor.name, after, f"tensor {tensor.name} is filed as {name}")
        if tensor.data is not None:
            fits = tensor.data.shape == tensor.shape and tensor.data.dtype == tensor.type.dtype.numpy
            _require(fits, after, f"constant {name} is {tensor.data.dtype}{list(tensor.data.shape)}")
    named = {*graph.inputs, *graph.outputs, *(n for node in graph.nodes for n in (*node.inputs, *node.outputs))}
    lost = sorted(named - set(graph.tensors))
    _require(not lost, after, f"no tensor is called {', '.join(lost)}")
    names = [node.name for node in graph.nodes]
    _require(len(set(names)) == len(names), after, "two nodes have the same name")
    for node in graph.nodes:
        _check_node(graph, node, known, after)
        known.update(node.outputs)
    for name in graph.outputs:
        _require(name in known, after, f"model output {name} is not computed")
    edges = {*graph.inputs, *graph.outputs}
    _require(set(graph.adapters) <= edges, after, "an adapter belongs to no model input or output")
    return graph


def _check_node(graph: Graph, node: Node, known: set[str], after: str) -> None:
    missing = [name for name in node.inputs if name not in known]
    _require(not missing, after, f"{node.name} reads {', '.join(missing)} before it is computed")
    twice = [name for name in node.outputs if name in known]
    _require(not twice, after, f"{node.name} writes {', '.join(twice)} a second time")
    assert isinstance(node.op, Op)
    shapes = tuple(t.shape for t in graph.outs(node))
    inferred = tuple(tuple(shape) for shape in node.op.infer(graph.ins(node)))
    _require(shapes == inferred, after, f"{node.name} gives {list(inferred)}, the graph says {list(shapes)}")


def _require(condition: bool, after: str, what: str) -> None:
    if not condition:
        raise TinyforgeError(f"internal: after pass {after}: {what}; please report this with the model")
