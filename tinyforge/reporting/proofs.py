"""The proofs of a compile in words: which arithmetic every operator uses, and over what it equals the reference's."""

from __future__ import annotations

from collections.abc import Sequence

from tinyforge.ir.graph import Graph
from tinyforge.ir.program import KernelCall, Proof
from tinyforge.ops.base import Op
from tinyforge.ops.proofs import FULL

_HEAD = (
    "Arithmetic, compared with the reference kernels' while compiling and equal over all that is named: per channel on",
    "both sides of every step of the output and at both ends of the reachable accumulators, or on all values or pairs.",
    "A line is one multiply-add and one saturating shift an output; a Q31 product has the reference's first rounding.",
)


def proof_lines(graph: Graph, calls: Sequence[KernelCall]) -> list[str]:
    """A line a proof, then how many channels have which form; nothing for a network that has none."""
    lines, counts = [], dict.fromkeys(("short", "full"), 0)
    for index, (node, call) in enumerate(zip(graph.nodes, calls, strict=True)):
        assert isinstance(node.op, Op)
        for proof in call.proofs:
            lines.append(f"  op{index:02d} {node.op.kind}: {_words(proof)}")
            counts["full" if proof.form == FULL else "short"] += proof.channels
    if not lines:
        return []
    total = f"{counts['short']:,} channels by short forms, {counts['full']:,} by {FULL}."
    return [*_HEAD, *lines, f"{total} Operators not listed compute as it does."]


def _words(proof: Proof) -> str:
    if proof.points:
        return proof.form if proof.form == FULL else f"{proof.form}, {proof.points:,} points"
    channels = f"{proof.channels:,} channels: " if proof.channels else ""
    return f"{channels}{proof.form}, accumulators {proof.low:,} .. {proof.high:,}"
