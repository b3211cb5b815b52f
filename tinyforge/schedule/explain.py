"""The optimiser's answer in words: why this schedule, or why none."""

from __future__ import annotations

import math

from tinyforge.ir.memory_plan import MemoryPlan
from tinyforge.ir.schedule import FusedStage, Halo, Schedule
from tinyforge.schedule.options import Options
from tinyforge.schedule.space import Space

NO_LIMIT = 1 << 62


def node_name(space: Space, step: int) -> str:
    return space.graph.nodes[step].name.split(";")[0] if space.graph.nodes else "nothing"


def explain(
    space: Space,
    schedule: Schedule,
    plan: MemoryPlan,
    macs: int,
    layerwise_bytes: int,
    limit: int,
    considered: int,
) -> tuple[str, ...]:
    """Lines of plain English about a schedule."""
    bound = f", the limit is {limit:,} B" if limit < NO_LIMIT else ""
    lines = [f"layer by layer needs {layerwise_bytes:,} B{bound}"]
    fused = [s for s in schedule.stages if isinstance(s, FusedStage)]
    if schedule.input_rows:
        lines.append("the input is fed row by row and never held whole")
    lines += [_stage(space, s) for s in fused]
    if plan.moves:
        moved = sum(m.nbytes for m in plan.moves)
        lines.append(f"{len(plan.moves)} buffers move between stages to make room, {moved:,} B in all")
    if fused:
        factor = macs / max(space.total_macs, 1)
        lines.append(f"together {plan.arena_bytes:,} B for {factor:.3f} times the MACs")
    elif layerwise_bytes <= limit:
        lines.append("that fits and computes least, so nothing is fused")
    lines.append(f"{considered} stages were compared; the peak is at {node_name(space, plan.peak_step)}")
    return tuple(lines)


def _stage(space: Space, stage: FusedStage) -> str:
    end = space.windowed[stage.last]
    domain = end.domain if end else 0
    rows = f"bands of {stage.patch_h} row{'s' if stage.patch_h > 1 else ''}"
    chunks = "" if stage.patch_w >= space.width[domain] else f" in chunks of {stage.patch_w}"
    kept = sum(m.rows is Halo.CACHE for _, m in stage.modes)
    goal = "their sum" if end and end.reduces else "the output"
    slices = f" and slices of {space.pixel[domain] // stage.slices} channels" if stage.slices > 1 else ""
    return (
        f"operators {stage.first} to {stage.last} run fused in {rows}{chunks}{slices} of {goal}, "
        f"{kept} of {stage.last - stage.first} tensors between them in line buffers"
    )


def refusal(
    space: Space,
    plan: MemoryPlan | None,
    options: Options,
    limit: int,
    where: str,
    layerwise_bytes: int,
    least_factor: float | None,
) -> str:
    """What it needs, what there is, where the peak is, the best that can be reached, and what to try."""
    if plan is None:
        return f"{space.graph.name}: its input cannot be fed row by row: the first operators need it whole; use whole"
    hints = []
    if least_factor is not None:
        hints.append(f"--max-mac-factor {math.ceil(100 * least_factor) / 100:.2f}")
    if options.schedule != "auto":
        hints.append("--schedule auto")
    elif options.objective == "sram" and None in (options.max_mac_factor, options.max_cycle_factor):
        hints.append("--objective balanced")  # has no limits of work unless they are given
    if options.input == "whole" and options.schedule == "auto":
        hints.append("--input rows")
    hints += ["a smaller input", f"a board with more: tinyforge boards --sram {-(-plan.arena_bytes // 1024)}K"]
    return (
        f"{space.graph.name}: needs {plan.arena_bytes:,} B of SRAM, {where if limit < NO_LIMIT else 'the limit'} has "
        f"{limit:,} B for it (peak at step {plan.peak_step}, {node_name(space, plan.peak_step)}; layer by layer it is "
        f"{layerwise_bytes:,} B); try {', or '.join(hints)}"
    )


def too_slow(space: Space, cycles: int, layerwise: float, options: Options) -> str:
    """That no schedule keeps the limit of estimated cycles, and what to try."""
    factor = math.ceil(100 * cycles / layerwise) / 100
    hints = [f"--max-cycle-factor {factor:.2f}"]
    hints += ["--objective balanced"] if options.objective == "sram" else ["more --sram"]
    return (
        f"{space.graph.name}: the schedule found takes {factor:.2f} times the estimated cycles of layer by layer, the "
        f"limit is {options.max_cycle_factor:.2f}; try {', or '.join(hints)}"
    )
