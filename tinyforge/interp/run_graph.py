"""The integer oracle: runs a whole graph with the operators' reference implementations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tinyforge.errors import UsageError
from tinyforge.ir.graph import Graph, Tensor
from tinyforge.ir.types import Array
from tinyforge.ir.window import Window
from tinyforge.ops.base import Op, Piece


def run_node(op: Op, ins: Sequence[Tensor], outs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
    """One operator on whole tensors; ``values`` are the inputs' contents, constants included."""
    height, width, _ = outs[0].type.hwc
    pieces = [Piece.whole(value) for value in values]
    results = op.compute(pieces, ins, outs, Window.full(height, width))
    return [
        np.ascontiguousarray(result, out.type.dtype.numpy).reshape(out.shape)
        for result, out in zip(results, outs, strict=True)
    ]


def run_graph(graph: Graph, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Content of every tensor of the graph, by name (constants included).

    ``inputs`` are the graph's inputs as the compiled network takes them (adapters already applied). Raises UsageError
    when one is missing or has another shape or dtype.
    """
    values: dict[str, Array] = {t.name: t.data for t in graph.tensors.values() if t.data is not None}
    for name in graph.inputs:
        values[name] = _checked(graph.tensors[name], inputs)
    for node in graph.nodes:
        assert isinstance(node.op, Op)
        arrays = [values[name] for name in node.inputs]
        results = run_node(node.op, graph.ins(node), graph.outs(node), arrays)
        values.update(zip(node.outputs, results, strict=True))
    return values


def _checked(tensor: Tensor, inputs: Mapping[str, Array]) -> Array:
    if tensor.name not in inputs:
        raise UsageError(f"no value for model input {tensor.name}; given: {', '.join(inputs) or 'nothing'}")
    value = inputs[tensor.name]
    expected = tensor.type
    if value.shape != expected.shape or value.dtype != expected.dtype.numpy:
        raise UsageError(
            f"model input {tensor.name} is {expected.dtype.value}{list(expected.shape)}, "
            f"the given array is {value.dtype}{list(value.shape)}"
        )
    return value
