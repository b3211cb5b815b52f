"""The comment that opens the generated header: what a firmware engineer asks first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinyforge.codegen.build_info import BuildInfo
from tinyforge.ir.graph import Graph
from tinyforge.ir.program import KernelCall
from tinyforge.reporting.proofs import proof_lines
from tinyforge.reporting.words import arena_lines, peak_line, schedule_lines, tensor_line
from tinyforge.schedule.optimise import ScheduleResult

_WIDTH = 116


@dataclass(frozen=True, slots=True)
class Measured:
    """What the compiler made of the generated C. ``stack_proven``: the bound holds for every call path."""

    compiler: str
    stack_bytes: int
    stack_proven: bool


def header_comment(
    found: ScheduleResult, calls: Sequence[KernelCall], info: BuildInfo, measured: Measured | None
) -> list[str]:
    """Lines for the header; ``calls``: as lowered, one a node; ``measured`` is None before the C was compiled."""
    graph = found.graph
    lines = [f"model   {info.model_file}, sha256 {info.source_sha256}", f"network sha256 {info.digest}"]
    executed = f"{found.executed_macs:,} (x{found.mac_factor:.3f} of {found.macs:,} left by the passes)"
    lines += [f"MACs    {info.macs:,} in the file; executed {executed}", ""]
    lines += ["Memory map", *_memory_map(info, measured), ""]
    lines += [*_edges("Input", graph, graph.inputs), *_edges("Output", graph, graph.outputs), ""]
    lines += ["Schedule", *(f"  {line}" for line in schedule_lines(graph, found.schedule))]
    lines += ["", f"Arena plan: {found.plan.arena_bytes:,} B; {peak_line(graph, found.plan)}"]
    lines += ["A step is one operator; a buffer is alive from its first to its last step, both included."]
    lines += [*arena_lines(found.plan), "", *proof_lines(graph, calls)]
    return [_plain(line) for line in lines]


def _memory_map(info: BuildInfo, measured: Measured | None) -> list[str]:
    lines = [
        f"  SRAM   {bank.name}: arena {bank.used:,} B of {bank.size:,} B"
        for bank in info.banks
        if bank.used or not measured
    ]
    lines.append(
        "         the arena holds activations, scratch, model input and model output; the model keeps nothing else"
    )
    if measured is not None:
        flash = info.flash
        lines.append(f"  flash  {flash.total:,} B = weights and tables {flash.weights:,} B + code {flash.code:,} B")
        kind = "bound over all call paths" if measured.stack_proven else "deepest call path found"
        lines.append(f"  stack  {measured.stack_bytes:,} B, {kind}")
        lines.append(f"  flash and stack with {measured.compiler}")
    return lines


def _edges(title: str, graph: Graph, names: tuple[str, ...]) -> list[str]:
    return [f"{title:<7} {tensor_line(name, graph.tensors[name].type)}" for name in names]


def _plain(line: str) -> str:
    """Text that is safe inside a C comment and not wider than the page."""
    safe = (
        "".join(c if c.isprintable() and c.isascii() else "?" for c in line).replace("*/", "* /").replace("/*", "/ *")
    )
    return safe if len(safe) <= _WIDTH else safe[: _WIDTH - 3] + "..."
