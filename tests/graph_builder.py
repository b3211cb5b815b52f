"""Small graphs built operator by operator, for tests of the importer and the passes; and the whole way of a file
compared with LiteRT's reference kernels."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from tests.tflite_writer import litert_outputs, pack, to_model
from tinyforge.importers.from_tflite import graph_of
from tinyforge.importers.from_tflite_raw import parse_tflite
from tinyforge.interp.run_graph import run_graph
from tinyforge.ir.graph import Graph, Node, Tensor
from tinyforge.ir.types import DType, Quant, TensorType
from tinyforge.ops.base import Activation
from tinyforge.passes.adapters import from_model
from tinyforge.passes.adapters import to_model as to_network
from tinyforge.passes.pipeline import optimise

PLAIN = (0.1, 0)
NONE = Activation.NONE
CONV = {"stride": (1, 1), "dilation": (1, 1), "padding": (0, 0, 0, 0), "activation": NONE}
POOL = {"size": (2, 2), "stride": (2, 2), "padding": (0, 0, 0, 0), "activation": NONE}


class GraphBuilder:
    """Chains of operators as a file has them; ``dtype``: that of all quantised activations and weights."""

    def __init__(self, seed: int = 0, dtype: str = "int8") -> None:
        self.rng = np.random.default_rng(seed)
        self.dtype = dtype
        self.tensors: dict[str, Tensor] = {}
        self.nodes: list[Node] = []

    def add(
        self, name: str, shape: tuple[int, ...], dtype: str, quant: tuple[float, int] | None, data: Any = None
    ) -> str:
        q = None if quant is None else Quant((float(np.float32(quant[0])),), (quant[1],))
        self.tensors[name] = Tensor(name, TensorType(shape, DType(dtype), q), data)
        return name

    def input(self, shape: tuple[int, ...], quant: tuple[float, int] | None = PLAIN, dtype: str = "") -> str:
        """An activation nobody computes; int8 or uint8 unless said otherwise."""
        return self.add(f"x{len(self.tensors)}", shape, dtype or self.dtype, quant)

    def const(self, shape: tuple[int, ...], quant: tuple[float, int] | None = (0.02, 0), dtype: str = "") -> str:
        """Random quanta."""
        dtype = dtype or self.dtype
        low, high = (0, 256) if dtype == "uint8" else (-100, 101)
        data = self.rng.integers(low, high, shape).astype(dtype)
        return self.add(f"c{len(self.tensors)}", shape, dtype, quant, data)

    def bias(self, count: int, scale: float = 0.002) -> str:
        return self.const((count,), (scale, 0), "int32")

    def op(
        self,
        kind: str,
        inputs: list[str],
        out_shape: tuple[int, ...],
        quant: tuple[float, int] | None = PLAIN,
        out_dtype: str = "",
        /,
        **fields: Any,
    ) -> str:
        """An operator of one output, by the writer's kinds and attribute names; gives the output's name."""
        out = self.add(f"t{len(self.tensors)}", out_shape, out_dtype or self.dtype, quant)
        op: Any = SimpleNamespace(kind=kind, **fields)
        self.nodes.append(Node(f"n{len(self.nodes)}", op, tuple(inputs), (out,)))
        return out

    def graph(self, inputs: list[str], outputs: list[str]) -> Graph:
        return Graph("small", self.tensors, tuple(self.nodes), tuple(inputs), tuple(outputs))

    def random(self, name: str) -> Any:
        """A value for an input."""
        kind = self.tensors[name].type
        if kind.dtype is DType.FLOAT32:
            return self.rng.normal(0, 6, kind.shape).astype(np.float32)
        lo, hi = kind.dtype.limits
        return self.rng.integers(lo, hi + 1, kind.shape).astype(kind.dtype.numpy)


def imported(data: bytes, io: str = "int8") -> Graph:
    """A file's network after all passes."""
    return optimise(graph_of(parse_tflite(data, "small.tflite")), io)


def run_as_file(graph: Graph, values: list[Any]) -> list[Any]:
    """The compiled network's oracle with its adapters: file inputs in, file outputs out."""
    edges = [graph.adapters.get(name, ()) for name in graph.inputs]
    inputs = {n: to_network(e, v) for n, e, v in zip(graph.inputs, edges, values, strict=True)}
    results = run_graph(graph, inputs)
    return [from_model(graph.adapters.get(name, ()), results[name]) for name in graph.outputs]


def assert_like_litert(
    builder: GraphBuilder, inputs: list[str], outputs: list[str], io: str = "int8", change: Any = None
) -> Graph:
    """Writes the graph (``change`` may edit the object tree), imports it, compares three random runs bit for bit."""
    model = to_model(builder.graph(inputs, outputs))
    if change is not None:
        change(model)
    data = pack(model)
    graph = imported(data, io)
    for _ in range(3):
        values = [builder.random(name) for name in inputs]
        for got, want in zip(run_as_file(graph, values), litert_outputs(data, values), strict=True):
            assert got.dtype == want.dtype
            np.testing.assert_array_equal(got, want)
    return graph


def kinds(graph: Graph) -> list[str]:
    return [node.op.kind for node in graph.nodes]
