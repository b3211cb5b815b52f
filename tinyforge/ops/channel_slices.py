"""Channel slices: which stages can make their map a share of its channels at a time, and the operators of one share.

A stage can where its first operator reads whole input pixels with weights for every output channel (``Channels.ALL``: a
convolution) and each one behind it takes channel for channel what the one before made (``Channels.OWN``: depthwise
convolutions, tables). Slice k of n is then channels [k*C/n, (k+1)*C/n) of every tensor made in the stage, C being that
tensor's channels; each slice is computed over the whole map before the next one begins. Nothing is computed twice: only
the stage's input is read once a slice, so it must be whole and stays until the stage ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tinyforge.ir.graph import Graph, Tensor
from tinyforge.ir.program import KernelCall
from tinyforge.ir.schedule import FusedStage, Schedule
from tinyforge.ir.types import Quant
from tinyforge.ops.base import Channels, Op


def sliceable(graph: Graph, first: int, last: int) -> bool:
    """Whether nodes first..last can run slice of channels by slice."""
    consumers = graph.consumers()
    for index in range(first, last + 1):
        node = graph.nodes[index]
        ins, outs = graph.ins(node), graph.outs(node)
        assert isinstance(node.op, Op)
        active = [t.name for t in ins if not t.is_constant]
        if len(active) != 1 or len(outs) != 1 or any(len(t.shape) != 4 for t in (*outs, ins[0])):
            return False
        if node.op.channels is not (Channels.ALL if index == first else Channels.OWN):
            return False
        if index == last:
            return first < last
        if consumers.get(outs[0].name) != [index + 1] or outs[0].name in graph.outputs:
            return False
    return False


def sliced_calls(graph: Graph, stage: FusedStage, calls: Sequence[KernelCall]) -> tuple[KernelCall, ...]:
    """The kernel calls of a stage's nodes for one slice; those given (of all nodes of the graph) where it has one.
    ValueError where the stage cannot be sliced so."""
    own = tuple(calls[stage.first : stage.last + 1])
    if stage.slices == 1:
        return own
    if not sliceable(graph, stage.first, stage.last):
        raise ValueError(f"nodes {stage.first}..{stage.last} cannot run slice of channels by slice")
    found = []
    for index, call in enumerate(own, stage.first):
        made = sliced_call(graph, index, call, stage.slices, spread=index == stage.last)
        if made is None:
            raise ValueError(f"node {index}: {call.kernel} cannot make its channels in {stage.slices} slices")
        found.append(made)
    return tuple(found)


def calls_as_run(graph: Graph, schedule: Schedule, calls: Sequence[KernelCall]) -> tuple[KernelCall, ...]:
    """One call a node, those of sliced stages for one slice."""
    found = list(calls)
    for stage in schedule.stages:
        if isinstance(stage, FusedStage) and stage.slices > 1:
            found[stage.first : stage.last + 1] = sliced_calls(graph, stage, calls)
    return tuple(found)


def sliced_call(graph: Graph, index: int, call: KernelCall, slices: int, spread: bool) -> KernelCall | None:
    """``Op.lower_slice`` of a node; None too where its channels are no multiple of ``slices``."""
    node = graph.nodes[index]
    ins, outs = graph.ins(node), graph.outs(node)
    assert isinstance(node.op, Op)
    shared = outs[0].shape[3] if node.op.channels is Channels.ALL else ins[0].shape[3]
    return None if shared % slices else node.op.lower_slice(call, ins, outs, slices, spread)


@dataclass(frozen=True, slots=True)
class Share:
    """The slice with ``number`` of ``slices``."""

    number: int
    slices: int

    def bounds(self, channels: int) -> tuple[int, int]:
        """[lo, hi) of so many channels."""
        size = channels // self.slices
        return self.number * size, (self.number + 1) * size

    def of(self, tensor: Tensor, axis: int | None) -> Tensor:
        """This share of a tensor along ``axis``: shape, quantisation and the content of constants."""
        if axis is None or self.slices == 1:
            return tensor
        lo, hi = self.bounds(tensor.shape[axis])
        shape = (*tensor.shape[:axis], hi - lo, *tensor.shape[axis + 1 :])
        quant = tensor.type.quant
        if quant is not None and quant.axis == axis and quant.per_channel:
            zeros = quant.zero_point[lo:hi] if len(quant.zero_point) > 1 else quant.zero_point
            quant = Quant(quant.scale[lo:hi], zeros, axis)
        data = None if tensor.data is None else tensor.data.take(range(lo, hi), axis)
        return Tensor(tensor.name, replace(tensor.type, shape=shape, quant=quant), data)


def share_tensors(
    op: Op, ins: Sequence[Tensor], outs: Sequence[Tensor], share: Share
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Inputs and outputs of an operator that makes one share of its output channels."""
    if share.slices == 1:
        return tuple(ins), tuple(outs)
    axes = op.slice_axes(ins)
    return (
        tuple(share.of(t, axis) for t, axis in zip(ins, axes, strict=True)),
        tuple(share.of(t, len(t.shape) - 1) for t in outs),
    )
