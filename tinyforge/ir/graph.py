"""A network: tensors by name and nodes in execution order. Passes return new graphs, nothing is changed in place."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from tinyforge.ir.types import Array, TensorType


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """A named value. ``data`` is its content when it is a constant, None for activations."""

    name: str
    type: TensorType
    data: Array | None = None

    @property
    def is_constant(self) -> bool:
        return self.data is not None

    @property
    def shape(self) -> tuple[int, ...]:
        return self.type.shape

    def array(self) -> Array:
        """The constant's content; only for constants."""
        assert self.data is not None, f"{self.name} is not a constant"
        return self.data


class OpBase:
    """Root of all operators; the behaviour is in ``tinyforge.ops``. An operator is a frozen dataclass of attributes."""

    __slots__ = ()
    kind: ClassVar[str] = ""


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One operator application. ``source`` is the operator's index in the file it came from, -1 when a pass made it.
    ``repeats``: name of the node whose outputs this one computes a second time, so that nobody has to hold them."""

    name: str
    op: OpBase
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    source: int = -1
    repeats: str = ""


@dataclass(frozen=True, slots=True)
class Adapter:
    """A change between what the model file takes or gives at an edge and what the compiled network does.

    Done by the caller (``tinyforge run`` does it on the host): ``rebase`` (uint8 -> int8, minus 128), ``quantize`` and
    ``dequantize`` (float32 <-> int8 with ``scale`` and ``zero_point``), ``requantize`` (int16 in the file with
    ``file_scale`` and ``file_zero_point``, int8 compiled), ``softmax`` and ``log_softmax`` (of a float output; beta is
    ``scale``), ``transpose`` (``perm``, file -> compiled for inputs, compiled -> file for outputs), ``reshape``.
    ``shape`` and ``dtype`` are those on the file's side.
    """

    kind: str
    shape: tuple[int, ...]
    dtype: str
    scale: float = 1.0
    zero_point: int = 0
    perm: tuple[int, ...] = ()
    file_scale: float = 1.0
    file_zero_point: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """Nodes are in topological order. ``adapters``: graph input or output -> its edge changes, file side first."""

    name: str
    tensors: Mapping[str, Tensor]
    nodes: tuple[Node, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    adapters: Mapping[str, tuple[Adapter, ...]] = field(default_factory=dict)

    def ins(self, node: Node) -> tuple[Tensor, ...]:
        return tuple(self.tensors[n] for n in node.inputs)

    def outs(self, node: Node) -> tuple[Tensor, ...]:
        return tuple(self.tensors[n] for n in node.outputs)

    def producer(self) -> dict[str, int]:
        """Index of the node that makes each activation."""
        return {name: i for i, node in enumerate(self.nodes) for name in node.outputs}

    def consumers(self) -> dict[str, list[int]]:
        """Indices of the nodes that read each tensor."""
        found: dict[str, list[int]] = {}
        for i, node in enumerate(self.nodes):
            for name in dict.fromkeys(node.inputs):
                found.setdefault(name, []).append(i)
        return found


def swap_ends(weights: Tensor, name: str, axis: int) -> Tensor:
    """Weights (O, H, W, 1) as (1, H, W, O) or the other way round, called ``name``; scales of channels then have
    ``axis``."""
    kind = weights.type
    quant = kind.quant
    if quant is not None and quant.axis is not None:
        quant = replace(quant, axis=axis)
    data = np.ascontiguousarray(weights.array().transpose(3, 1, 2, 0))
    return Tensor(name, TensorType(data.shape, kind.dtype, quant), data)


def replace_graph(graph: Graph, *, nodes: Sequence[Node], tensors: Mapping[str, Tensor] | None = None) -> Graph:
    """A graph with other nodes (and tensors); tensors nobody names any more are dropped."""
    pool = tensors if tensors is not None else graph.tensors
    used = {n for node in nodes for n in (*node.inputs, *node.outputs)} | {*graph.inputs, *graph.outputs}
    kept = {name: tensor for name, tensor in pool.items() if name in used}
    return Graph(graph.name, kept, tuple(nodes), graph.inputs, graph.outputs, graph.adapters)


def digest(graph: Graph) -> str:
    """SHA-256 of everything that determines the network's outputs; tensor names do not count."""
    ids = {name: i for i, name in enumerate(graph.tensors)}
    h = hashlib.sha256()
    for tensor in graph.tensors.values():
        h.update(repr(tensor.type).encode())
        if tensor.data is not None:
            h.update(np.ascontiguousarray(tensor.data).tobytes())
    for node in graph.nodes:
        h.update(repr((node.op, [ids[n] for n in node.inputs], [ids[n] for n in node.outputs])).encode())
    h.update(repr(([ids[n] for n in graph.inputs], [ids[n] for n in graph.outputs])).encode())
    return h.hexdigest()
