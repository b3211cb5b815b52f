"""Finds the first operator whose result differs from a reference run: by checksums of every operator's output (as
stored in golden files), or by the contents themselves."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyforge.ir.graph import Graph
from tinyforge.ir.types import Array


@dataclass(frozen=True, slots=True)
class Difference:
    """A tensor that is not what it should be. ``node`` is the node's name, ``source`` the operator's index in the
    model file, ``mismatches`` and ``max_abs_diff`` are -1 where only checksums were compared."""

    node: str
    kind: str
    source: int
    tensor: str
    mismatches: int = -1
    max_abs_diff: int = -1


def checksums(arrays: Mapping[str, Any], sample: int) -> dict[int, int]:
    """Operator index in the file -> CRC-32 of its first output, for one sample of a golden file (its arrays by name).
    Empty when the file has none."""
    if "op_index" not in arrays or "op_output_crc32" not in arrays:
        return {}
    crcs: dict[int, int] = {}
    for index, crc in zip(arrays["op_index"], arrays["op_output_crc32"][sample], strict=True):
        crcs.setdefault(int(index), int(crc))
    return crcs


def first_wrong_checksum(graph: Graph, values: Mapping[str, Array], crcs: Mapping[int, int]) -> Difference | None:
    """The first node whose (first) output has another checksum; ``values`` are tensors by name, missing ones are
    skipped. Tensors of uint8 files are int8 here: their original bytes (top bit flipped) count as equal. float32 is
    skipped, its last bit depends on the machine the reference ran on."""
    for node in graph.nodes:
        expected = crcs.get(node.source)
        value = values.get(node.outputs[0])
        if expected is None or value is None or value.dtype.kind == "f":
            continue
        raw = np.ascontiguousarray(value).tobytes()
        if zlib.crc32(raw) != expected and zlib.crc32(bytes(b ^ 0x80 for b in raw)) != expected:
            return Difference(node.name, node.op.kind, node.source, node.outputs[0])
    return None


def first_difference(graph: Graph, values: Mapping[str, Array], expected: Mapping[str, Array]) -> Difference | None:
    """The first node with an output that differs from ``expected``; tensors missing on either side are skipped."""
    for node in graph.nodes:
        for name in node.outputs:
            if name not in values or name not in expected:
                continue
            got, want = values[name].astype(np.float64), expected[name].astype(np.float64)
            bad = int(np.count_nonzero(got != want))
            if bad:
                worst = int(np.max(np.abs(got - want)))
                return Difference(node.name, node.op.kind, node.source, name, bad, worst)
    return None
