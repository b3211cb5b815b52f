"""Text forms of graphs and programs, for dumps, goldens and error hunting. The same value always prints the same."""

from __future__ import annotations

import dataclasses
import enum
import hashlib
from collections.abc import Sequence

import numpy as np

from tinyforge.ir.graph import Graph, Node, OpBase, Tensor
from tinyforge.ir.program import KernelCall, Part, Table
from tinyforge.ir.types import Array, Quant, TensorType

_SHOWN = 4
"""Scales or values of an array that are written out; the rest is counted."""


def graph_lines(graph: Graph) -> list[str]:
    """Inputs, one line a node, its constants below it, outputs.

    Example: ``3 t9 <1x4x4x8 int8 0.02:-3> = conv2d(t5, const w, const b) stride=(1, 1) ...``
    """
    lines = [f"graph {graph.name}"]
    lines += [f"  input {tensor_text(graph.tensors[name])}{_adapted(graph, name)}" for name in graph.inputs]
    for index, node in enumerate(graph.nodes):
        lines.append(f"  {index} {node_text(graph, node)}")
        lines += [f"      const {tensor_text(t)} {data_text(t.data)}" for t in graph.ins(node) if t.data is not None]
    return lines + [f"  output {tensor_text(graph.tensors[name])}{_adapted(graph, name)}" for name in graph.outputs]


def node_text(graph: Graph, node: Node) -> str:
    """One node: outputs with their types, operator, inputs, attributes."""
    inputs = ", ".join(f"{'const ' * t.is_constant}{t.name}" for t in graph.ins(node))
    outputs = ", ".join(tensor_text(t) for t in graph.outs(node))
    attributes = "".join(f" {name}={text}" for name, text in op_attributes(node.op))
    return f"{outputs} = {node.op.kind}({inputs}){attributes}"


def op_attributes(op: OpBase) -> list[tuple[str, str]]:
    """(name, value) of an operator's attributes in the order of its declaration."""
    assert dataclasses.is_dataclass(op)
    return [(field.name, _value(getattr(op, field.name))) for field in dataclasses.fields(op)]


def _value(value: object) -> str:
    return str(value.value) if isinstance(value, enum.Enum) else repr(value)


def tensor_text(tensor: Tensor) -> str:
    """``name <shape dtype scale:zero_point>``."""
    return f"{tensor.name} <{type_text(tensor.type)}>"


def type_text(kind: TensorType) -> str:
    """``1x4x4x8 int8 0.02:-3``; scalars have the shape ``()``."""
    shape = "x".join(map(str, kind.shape)) or "()"
    return f"{shape} {kind.dtype.value}{' ' + quant_text(kind.quant) if kind.quant else ''}"


def quant_text(quant: Quant) -> str:
    """``scale:zero_point``, or the first few of a quantisation per channel and how many there are."""
    pairs = [f"{s:.9g}:{z}" for s, z in zip(quant.scale, quant.zero_point, strict=True)]
    if len(pairs) == 1:
        return pairs[0]
    more = f" .. {len(pairs)}" if len(pairs) > _SHOWN else ""
    return f"axis {quant.axis} [{' '.join(pairs[:_SHOWN])}{more}]"


def data_text(data: Array) -> str:
    """The first few values of a constant and a digest of all."""
    flat = np.ascontiguousarray(data).reshape(-1)
    values = " ".join(str(v) for v in flat[:_SHOWN].tolist())
    if flat.size <= _SHOWN:
        return f"[{values}]"
    return f"[{values} ..] {hashlib.sha256(flat.tobytes()).hexdigest()[:12]}"


def _adapted(graph: Graph, name: str) -> str:
    steps = graph.adapters.get(name, ())
    return "".join(f" | {a.kind} {'x'.join(map(str, a.shape))} {a.dtype}" for a in steps)


def program_lines(graph: Graph, calls: Sequence[KernelCall]) -> list[str]:
    """The kernel calls of a graph: kernels with their literals, tables in flash."""
    lines = []
    for index, (node, call) in enumerate(zip(graph.nodes, calls, strict=True)):
        flags = "".join(f" {name}" for name in ("merge_rows", "alias") if getattr(call, name))
        scratch = f" scratch {call.scratch_bytes} B" if call.scratch_bytes else ""
        lines.append(f"{index} {node.op.kind}: {call.form}{flags}{scratch}")
        lines += [f"    {_part(part)}" for part in call.parts or (_only_part(call),)]
        lines += [f"    table {_table(table)}" for table in call.tables]
    return lines


def _only_part(call: KernelCall) -> Part:
    return Part(call.kernel, (), (), (), call.literals)


def _part(part: Part) -> str:
    return f"{part.kernel} " + " ".join(f"{name}={value}" for name, value in part.literals)


def _table(table: Table) -> str:
    return f"{table.name} {table.ctype}[{table.data.size}] {data_text(table.data)}"
