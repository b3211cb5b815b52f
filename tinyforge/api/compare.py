"""Outputs against a reference, integer for integer; where they differ, which operator is wrong first."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinyforge.api.edges import has_inexact_end, load_arrays, to_file
from tinyforge.codegen.build_info import BuildInfo
from tinyforge.errors import UsageError
from tinyforge.interp.run_graph import run_graph
from tinyforge.ir.graph import Graph
from tinyforge.ir.types import Array
from tinyforge.ops.base import Op

_PRESOFTMAX = "presoftmax_0"


@dataclass(frozen=True, slots=True)
class Comparison:
    """``mismatches``: values that differ. ``max_abs_diff``: largest difference, in quanta for integers.
    ``first_sample``: of the first difference, -1 where there is none."""

    mismatches: int
    max_abs_diff: int
    first_sample: int


@dataclass(frozen=True, slots=True, eq=False)
class Expected:
    """What should come out, as the compiled network gives it. ``source``: where it comes from. ``values``: one array
    (samples, *shape) an output; with ``on_file_side`` they are as users of the file know them;
    ``before_softmax``: before a final float softmax."""

    source: str
    values: tuple[Array, ...]
    on_file_side: bool
    before_softmax: bool = False


def interpreted(graph: Graph, inputs: Sequence[Array]) -> Expected:
    """What the integer interpreter makes of the inputs (compiled side)."""
    results = [run_graph(graph, _sample(graph, inputs, i)) for i in range(len(inputs[0]))]
    values = tuple(np.stack([r[name] for r in results]) for name in graph.outputs)
    return Expected("integer interpreter", values, False)


def _sample(graph: Graph, inputs: Sequence[Array], i: int) -> dict[str, Array]:
    return {name: values[i] for name, values in zip(graph.inputs, inputs, strict=True)}


def recorded(graph: Graph, path: Path, samples: int) -> Expected:
    """Outputs recorded in an ``.npz`` file. Where the file's network ends in a float softmax and the softmax's
    input was recorded too (``presoftmax_0``), that is compared."""
    before_softmax = len(graph.outputs) == 1 and has_inexact_end(graph, 0) and _holds(path, _PRESOFTMAX)
    values = load_arrays(str(path), "presoftmax" if before_softmax else "output", len(graph.outputs))
    if len(values[0]) < samples:
        raise UsageError(f"{path} has {len(values[0])} reference samples for {samples} inputs; use --samples")
    return Expected(path.name, tuple(v[:samples] for v in values), True, before_softmax)


def _holds(path: Path, name: str) -> bool:
    try:
        with np.load(path, allow_pickle=False) as file:
            return name in file
    except (OSError, ValueError, EOFError) as error:
        raise UsageError(f"{path} cannot be read as .npz: {error}") from error


def accuracy(outputs: Array, labels: Array) -> float:
    """Part of the samples whose largest value is at their label's place. outputs: (samples, *shape)."""
    guesses = outputs.reshape(len(outputs), -1).argmax(axis=1)
    return float(np.mean(guesses == labels))


def compare(graph: Graph, outputs: Sequence[Array], expected: Expected) -> Comparison:
    """Count differences between what came out (compiled side) and what should."""
    mismatches, largest, first = 0, 0, -1
    for i, (got, want) in enumerate(zip(outputs, expected.values, strict=True)):
        made = to_file(graph, i, got, exact=expected.before_softmax) if expected.on_file_side else got
        if made.size != want.size:
            raise UsageError(f"output_{i}: the reference has shape {want.shape}, the model gives {made.shape}")
        wrong = _differs(made.reshape(len(got), -1), want.reshape(len(got), -1))
        mismatches += int(wrong.sum())
        if wrong.any():
            largest = max(largest, _distance(graph, i, made, want))
            sample = int(np.argmax(wrong.any(axis=1)))
            first = sample if first < 0 else min(first, sample)
    return Comparison(mismatches, largest, first)


def _differs(a: Array, b: Array) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    return np.asarray((a != b) & ~((a != a) & (b != b)))


def _distance(graph: Graph, index: int, got: Array, want: Array) -> int:
    """Largest difference, for dequantised values in quanta of the output."""
    difference = np.abs(got.reshape(-1).astype(np.float64) - want.reshape(-1).astype(np.float64))
    step = graph.tensors[graph.outputs[index]].type.scale if got.dtype.kind == "f" else 1.0
    worst = float(np.nan_to_num(difference / step, nan=np.inf).max())
    return int(min(np.ceil(worst - 0.25), 2**31)) if worst else 0


def first_wrong(
    info: BuildInfo, graph: Graph, inputs: Sequence[Array], traces: Mapping[tuple[int, int], Array], sample: int
) -> str | None:
    """The first operator whose traced output is not what the interpreter computes, in words; None where all agree."""
    values = run_graph(graph, _sample(graph, inputs, sample))
    for op, index in zip(info.operators, _in_network(info), strict=True):
        for k, name in enumerate(graph.nodes[index].outputs):
            want = np.frombuffer(np.ascontiguousarray(values[name]).tobytes(), np.uint8)
            got = traces.get((op.index, k))
            if got is None or _alias(graph, index):
                continue
            wrong = int((got[sample] != want).sum())
            if wrong:
                return (
                    f"first wrong operator: #{op.index} {op.kind} {op.name}, {wrong:,} of {want.size:,} bytes of its "
                    f"output differ (sample {sample})"
                )
    return None


def _in_network(info: BuildInfo) -> list[int]:
    """For each operator its node in the network of the file; operators that run twice are there once."""
    found: list[int] = []
    for op in info.operators:
        own = len(found) - sum(other.repeats is not None for other in info.operators[: op.index])
        found.append(own if op.repeats is None else found[op.repeats])
    return found


def _alias(graph: Graph, index: int) -> bool:
    """Operators that need no code leave no trace."""
    node = graph.nodes[index]
    assert isinstance(node.op, Op)
    return bool(node.op.lower(graph.ins(node), graph.outs(node)).alias)


def first_against_record(graph: Graph, inputs: Sequence[Array], path: Path, sample: int) -> str | None:
    """The first operator where the interpreter itself leaves the checksums recorded in ``path``; None where all
    agree or none are recorded."""
    with np.load(path, allow_pickle=False) as file:
        if "op_output_crc32" not in file or "op_index" not in file:
            return None
        sums = dict(
            zip(file["op_index"].tolist(), np.atleast_2d(file["op_output_crc32"])[sample].tolist(), strict=True)
        )
    values = run_graph(graph, _sample(graph, inputs, sample))
    for index, node in enumerate(graph.nodes):
        data = np.ascontiguousarray(values[node.outputs[0]])
        if node.source not in sums or data.dtype.kind == "f":
            continue
        rebased = (data.astype(np.int16) + 128).astype(np.uint8) if data.dtype == np.int8 else data
        if sums[node.source] not in (zlib.crc32(data.tobytes()), zlib.crc32(rebased.tobytes())):
            return f"first operator unlike the reference: #{index} {node.op.kind} {node.name} (sample {sample})"
    return None
