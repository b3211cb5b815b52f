"""Lets one-dimensional networks be what they are in memory: feature maps of one row.

Converters wrap every 1-D convolution in reshapes (1, L, C) <-> (1, 1, L, C) and leave what is between in three
dimensions. Elementwise operators and paddings move to the four-dimensional side; the reshapes then meet and cancel.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tinyforge.ir.graph import Graph, Node, Tensor, replace_graph
from tinyforge.ops import OPS
from tinyforge.ops.base import Op
from tinyforge.passes.rewrite import drop_unread, fresh_name

_ELEMENTWISE = frozenset(
    {
        "relu",
        "relu6",
        "relu_n1_to_1",
        "leaky_relu",
        "hard_swish",
        "gelu",
        "logistic",
        "tanh",
        "quantize",
        "add",
        "sub",
        "mul",
        "maximum",
        "minimum",
    }
)


def sink_reshapes(graph: Graph) -> Graph:
    """RELU(RESHAPE(x)) -> RESHAPE(RELU(x)), the same for binary operators of tensors reshaped alike and for PAD; and
    RESHAPE(PAD(x)) -> PAD(RESHAPE(x)) where that gains the fourth dimension. Values stay where they are in memory."""
    tensors = dict(graph.tensors)
    nodes: list[Node] = []
    makers: dict[str, Node] = {}
    for node in graph.nodes:
        moved = _sunk(graph, tensors, makers, node) or _hoisted(graph, tensors, makers, node) or [node]
        for new in moved:
            nodes.append(new)
            makers.update(dict.fromkeys(new.outputs, new))
    return drop_unread(replace_graph(graph, nodes=nodes, tensors=tensors))


def _gains_row(shape: tuple[int, ...], wide: tuple[int, ...]) -> bool:
    """Whether ``wide`` is ``shape`` of rank 3 with a dimension of 1 for the row or the column."""
    return len(shape) == 3 and wide in ((shape[0], 1, *shape[1:]), (*shape[:2], 1, shape[2]))


def _sunk(graph: Graph, tensors: dict[str, Tensor], makers: dict[str, Node], node: Node) -> list[Node] | None:
    """The operator on what its inputs were before they lost a dimension, then the reshape; None where it stays."""
    if node.op.kind not in _ELEMENTWISE and node.op.kind != "pad":
        return None
    sources: list[str] = []
    wide: set[tuple[int, ...]] = set()
    for name in node.inputs:
        maker = makers.get(name)
        if tensors[name].data is not None and _broadcasts(tensors[name], tensors[node.outputs[0]]):
            sources.append(name)
        elif maker is not None and maker.op.kind == "reshape" and _same_quant(tensors, maker):
            sources.append(maker.inputs[0])
            wide.add(tensors[maker.inputs[0]].shape)
        else:
            return None
    narrow = {tensors[name].shape for name in node.inputs if tensors[name].data is None}
    if len(wide) != 1 or len(narrow) != 1 or not _gains_row(*narrow, *wide):
        return None
    op = _widened(node.op, next(iter(narrow)), next(iter(wide)))
    out = tensors[node.outputs[0]]
    made = _fresh(graph, tensors, out, op.infer([tensors[name] for name in sources])[0])
    back: Op = OPS["reshape"](shape=out.shape)  # type: ignore[call-arg]
    first = replace(node, op=op, inputs=tuple(sources), outputs=(made,))
    return [first, Node(f"{node.name}/shape", back, (made,), node.outputs)]


def _hoisted(graph: Graph, tensors: dict[str, Tensor], makers: dict[str, Node], node: Node) -> list[Node] | None:
    """A reshape to four dimensions before the PAD it follows, and before those that one follows."""
    after: list[Node] = []
    while (step := _hoisted_once(graph, tensors, makers, node)) is not None:
        node = step[0]
        after.insert(0, step[1])
    return [node, *after] if after else None


def _hoisted_once(
    graph: Graph, tensors: dict[str, Tensor], makers: dict[str, Node], node: Node
) -> tuple[Node, Node] | None:
    """(reshape, PAD) for a reshape of a PAD."""
    pad = makers.get(node.inputs[0]) if node.op.kind == "reshape" else None
    if pad is None or pad.op.kind != "pad" or not _same_quant(tensors, node):
        return None
    x, out = tensors[pad.inputs[0]], tensors[node.outputs[0]]
    if not _gains_row(tensors[node.inputs[0]].shape, out.shape):
        return None
    at = 1 if out.shape[1] == 1 else 2
    shape = (*x.shape[:at], 1, *x.shape[at:])
    made = _fresh(graph, tensors, x, shape)
    wider: Op = OPS["reshape"](shape=shape)  # type: ignore[call-arg]
    op = _widened(pad.op, x.shape, shape)
    return Node(f"{node.name}/shape", wider, pad.inputs, (made,)), replace(node, op=op, inputs=(made,))


def _widened(op: Any, narrow: tuple[int, ...], wide: tuple[int, ...]) -> Op:
    """The operator for four dimensions: only PAD says something about each of them."""
    result: Op = op
    if op.kind == "pad":
        at = 1 if wide == (narrow[0], 1, *narrow[1:]) else 2
        result = replace(op, paddings=(*op.paddings[:at], (0, 0), *op.paddings[at:]))
    return result


def _broadcasts(constant: Tensor, out: Tensor) -> bool:
    """A constant that means the same for any number of leading dimensions: one value, or one for each channel."""
    elements = constant.type.elements
    return elements == 1 or (constant.shape[-1] == elements and elements == out.shape[-1])


def _same_quant(tensors: dict[str, Tensor], node: Node) -> bool:
    return tensors[node.inputs[0]].type.quant == tensors[node.outputs[0]].type.quant


def _fresh(graph: Graph, tensors: dict[str, Tensor], like: Tensor, shape: tuple[int, ...]) -> str:
    """Adds a tensor of the same kind and another shape."""
    name = fresh_name(replace(graph, tensors=tensors), f"{like.name}/row")
    tensors[name] = Tensor(name, replace(like.type, shape=shape))
    return name
