"""Removes channels that are constant whatever the input: exact pruning.

Training leaves channels whose output is one value for every input (a vanishing scale, a bias far below zero before a
ReLU). Whether a channel is such a one is decided exactly, from the range its accumulator can reach and the reference's
own rounding. Its value is then folded into the biases of those who read it, and the channel disappears from the
network: from its producer, from the depthwise convolutions and poolings on the way, and from the weights of the
readers. A convolution with padding reads the zero point outside, so there only channels at the zero point may go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from tinyforge.ir.graph import Graph, Node, Tensor, replace_graph
from tinyforge.ir.types import Array, DType, IntArray, Quant, TensorType
from tinyforge.ops.average_pool2d import AveragePool2D
from tinyforge.ops.base import activation_range
from tinyforge.ops.conv2d import Conv2D
from tinyforge.ops.depthwise_conv2d import DepthwiseConv2D
from tinyforge.ops.fully_connected import FullyConnected
from tinyforge.ops.max_pool2d import MaxPool2D
from tinyforge.ops.requant import Rescale, accumulator_range, constant_channels
from tinyforge.ops.reshape import Reshape
from tinyforge.ops.scaling import channel_multipliers, weights_without_zero
from tinyforge.passes.rewrite import fresh_name

KEPT = 2  # channels that stay where all could go: kernels work on pairs
_INT32 = (-(1 << 31), (1 << 31) - 1)
Values = dict[int, int]


def drop_dead_channels(graph: Graph) -> Graph:
    """Without constant channels; again until there are none, since narrower sums make further ones constant."""
    for _ in range(len(graph.nodes)):
        smaller = _once(graph)
        if smaller is None:
            break
        graph = smaller
    return graph


def _once(graph: Graph) -> Graph | None:
    going = _removable(graph, _constants(graph))
    if not any(going.values()):
        return None
    rebuilt = _Rebuilt(graph, going)
    nodes = [rebuilt.node(node) for node in graph.nodes]
    if not rebuilt.fits:
        return None
    return replace_graph(graph, nodes=nodes, tensors=rebuilt.tensors)


def _constants(graph: Graph) -> dict[str, Values]:
    """Channel -> value at every position, for the outputs of the operators this pass can shrink."""
    found: dict[str, Values] = {}
    for node in graph.nodes:
        known = found.get(node.inputs[0], {})
        if type(node.op) is Conv2D:
            found[node.outputs[0]] = _flat(graph, node, 0, {})
        elif type(node.op) is DepthwiseConv2D and node.op.multiplier == 1:
            zero = graph.ins(node)[0].type.zero_point
            found[node.outputs[0]] = _flat(graph, node, 3, {c: v for c, v in known.items() if v == zero})
        elif known and _carries(graph, node):
            found[node.outputs[0]] = known
    return found


def _flat(graph: Graph, node: Node, axis: int, at_zero: Values) -> Values:
    """Channels of a convolution whose whole accumulator range gives one output; weights have their channels at
    ``axis``. Input channels ``at_zero`` of a depthwise convolution add nothing to the bias."""
    ins, out = graph.ins(node), graph.outs(node)[0].type
    op: Any = node.op
    if not all(t.is_constant for t in ins[1:]) or ins[0].type.dtype is not DType.INT8:
        return {}
    w = np.moveaxis(weights_without_zero(ins), axis, 0)
    w = w.reshape(w.shape[0], -1)
    if axis:
        w = np.where(np.isin(np.arange(len(w)), list(at_zero))[:, None], 0, w)
    bias = ins[2].array().astype(np.int64) if len(ins) > 2 else np.zeros(len(w), np.int64)
    reach = accumulator_range(w, bias - ins[0].type.zero_point * w.sum(axis=1))
    multiplier, shift = channel_multipliers(ins[0].type, ins[1].type, out, len(w))
    rescale = Rescale(multiplier, shift, out.zero_point, *activation_range(op.activation, out), *reach)
    if (np.maximum(np.abs(reach[0]), np.abs(reach[1])) >= 1 << 31).any():
        return {}
    values = rescale.reference(reach[0][:, None])[:, 0]
    return {int(c): int(values[c]) for c in np.flatnonzero(constant_channels(rescale))}


def _carries(graph: Graph, node: Node) -> bool:
    """Whether constant channels pass unchanged: poolings that do not clamp, a reshape that drops H = W = 1."""
    x, y = graph.ins(node)[0], graph.outs(node)[0]
    if x.type.quant != y.type.quant:
        return False
    if type(node.op) is Reshape:
        return len(x.shape) == 4 and x.shape[:3] == (1, 1, 1) and y.shape == (1, x.shape[3])
    if isinstance(node.op, AveragePool2D | MaxPool2D):
        return activation_range(node.op.activation, y.type) == y.type.dtype.limits
    return False


def _channelwise(graph: Graph, node: Node) -> bool:
    return (type(node.op) is DepthwiseConv2D and node.op.multiplier == 1) or _carries(graph, node)


def _removable(graph: Graph, constants: Mapping[str, Values]) -> dict[str, Values]:
    """The constant channels that all readers can do without, at least KEPT of a tensor staying."""
    going = {n: dict(v) for n, v in constants.items() if n not in graph.outputs}
    while True:
        before = {n: len(v) for n, v in going.items()}
        for node in graph.nodes:
            for name in node.inputs[1:]:
                going.pop(name, None)
            _restrict(graph, node, going)
        for name, values in going.items():
            for channel in sorted(values)[: max(0, len(values) - graph.tensors[name].shape[-1] + KEPT)]:
                del values[channel]
        if before == {n: len(v) for n, v in going.items()}:
            return going


def _restrict(graph: Graph, node: Node, going: dict[str, Values]) -> None:
    """Takes from ``going`` what this node cannot do without."""
    source, target = node.inputs[0], node.outputs[0]
    x = graph.tensors[source]
    if _channelwise(graph, node):
        common = going.get(source, {}).keys() & going.get(target, {}).keys()
        for name in (source, target):
            if name in going:
                going[name] = {c: v for c, v in going[name].items() if c in common}
    elif type(node.op) is Conv2D and graph.tensors[node.inputs[1]].is_constant:
        if any(node.op.padding) and source in going:
            going[source] = {c: v for c, v in going[source].items() if v == x.type.zero_point}
    elif not (type(node.op) is FullyConnected and x.shape == (1, graph.tensors[node.inputs[1]].shape[1])):
        going.pop(source, None)


class _Rebuilt:
    """New tensors and nodes without the channels in ``going``; ``fits`` turns false where a bias leaves int32."""

    def __init__(self, graph: Graph, going: Mapping[str, Values]) -> None:
        self.graph, self.going, self.fits = graph, going, True
        self.tensors = dict(graph.tensors)
        for name, values in going.items():
            t = graph.tensors[name]
            shape = (*t.shape[:-1], t.shape[-1] - len(values))
            self.tensors[name] = Tensor(name, replace(t.type, shape=shape))

    def node(self, node: Node) -> Node:
        gone_in = self.going.get(node.inputs[0], {})
        gone_out = self.going.get(node.outputs[0], {})
        if not gone_in and not gone_out:
            return node
        if isinstance(node.op, Reshape):
            op = replace(node.op, shape=(*node.op.shape[:-1], node.op.shape[-1] - len(gone_out)))
            return replace(node, op=op, source=-1)
        if isinstance(node.op, AveragePool2D | MaxPool2D):
            return replace(node, source=-1)
        depthwise = isinstance(node.op, DepthwiseConv2D)
        inputs = self._weights(node, {} if depthwise else gone_in, gone_out, 3 if depthwise else 0)
        return replace(node, inputs=(node.inputs[0], *inputs), source=-1)

    def _weights(self, node: Node, gone_in: Values, gone_out: Values, axis: int) -> tuple[str, ...]:
        """Names of new weights and bias; weights have output channels at ``axis``, input channels last."""
        ins = self.graph.ins(node)
        w, bias = ins[1].array(), ins[2].array().astype(np.int64) if len(ins) > 2 else None
        folded = self._folded(ins[0], weights_without_zero(ins), gone_in)
        if bias is not None or folded.any():
            bias = folded if bias is None else bias + folded
        rest = np.delete(np.delete(w, list(gone_out), axis=axis), list(gone_in), axis=w.ndim - 1 if gone_in else axis)
        names = [self._constant(ins[1], rest, _without(ins[1].type.quant, gone_out))]
        if bias is not None:
            kept = np.delete(bias, list(gone_out))
            self.fits = self.fits and bool((kept >= _INT32[0]).all() and (kept <= _INT32[1]).all())
            names.append(self._bias(node, ins, kept.astype(np.int32), gone_out))
        return tuple(names)

    def _folded(self, x: Tensor, w: IntArray, gone: Values) -> IntArray:
        """What the constant input channels add to each accumulator."""
        total = np.zeros(w.shape[0] if gone else 1, np.int64)
        for channel, value in gone.items():
            total += w[..., channel].reshape(w.shape[0], -1).sum(axis=1) * (value - x.type.zero_point)
        return total

    def _bias(self, node: Node, ins: tuple[Tensor, ...], data: Array, gone_out: Values) -> str:
        if len(ins) > 2:
            return self._constant(ins[2], data, _without(ins[2].type.quant, gone_out))
        return self._constant(Tensor(f"{node.name}/bias", TensorType(data.shape, DType.INT32)), data, None)

    def _constant(self, old: Tensor, data: Array, quant: Quant | None) -> str:
        name = fresh_name(replace_tensors(self.graph, self.tensors), f"{old.name}/live")
        self.tensors[name] = Tensor(name, TensorType(data.shape, old.type.dtype, quant), np.ascontiguousarray(data))
        return name


def replace_tensors(graph: Graph, tensors: Mapping[str, Tensor]) -> Graph:
    return replace(graph, tensors=tensors)


def _without(quant: Quant | None, gone: Values) -> Quant | None:
    """Per-channel scales without those of the channels that are gone."""
    if quant is None or not quant.per_channel:
        return quant
    kept = [i for i in range(len(quant.scale)) if i not in gone]
    zeros = quant.zero_point
    points = tuple(zeros[i] for i in kept) if len(zeros) == len(quant.scale) else zeros
    return replace(quant, scale=tuple(quant.scale[i] for i in kept), zero_point=points)
