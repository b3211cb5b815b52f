"""The optimiser for boards with several SRAM banks: one array where one bank is enough, else an array a bank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tinyforge.errors import DoesNotFit
from tinyforge.ir.graph import Graph
from tinyforge.ir.memory_plan import Buffer, MemoryPlan
from tinyforge.ir.program import KernelCall
from tinyforge.memory.banks import BankRoom, in_one_bank, plan_in_banks
from tinyforge.schedule.best import best_schedule
from tinyforge.schedule.options import Options, Planned, ScheduleResult

TRIES = 12
"""Schedules that are tried over several banks, each smaller than the last, before giving up."""
_STEP = 0.03


def optimise_in_banks(
    graph: Graph,
    calls: Sequence[KernelCall],
    rooms: Sequence[BankRoom],
    limit: int | None = None,
    options: Options | None = None,
    where: str = "the board",
) -> ScheduleResult:
    """The best schedule within ``rooms``, and ``limit`` bytes over all of them.

    Several banks are used only where that is faster than what fits one of them (for objective ``sram``: only where
    none fits one); the arena lies in the fastest bank that holds it. Raises DoesNotFit.
    """
    options = options or Options()
    total = sum(room.room_bytes for room in rooms)
    most = min(total, total if limit is None else limit)
    largest = min(most, max(room.room_bytes for room in rooms))
    one, refusal = _within(graph, calls, largest, options, where)
    if most > largest and not (one and options.objective == "sram"):
        several = _over_banks(graph, calls, rooms, most, options, where, one)
        if isinstance(several, ScheduleResult):
            return several
        refusal = several or refusal
    if one is None:
        assert refusal is not None
        raise refusal
    parts = in_one_bank(one.plan, rooms)
    return _planned(one, calls, replace(one.plan, parts=parts)) if parts else one


def _planned(found: ScheduleResult, calls: Sequence[KernelCall], plan: MemoryPlan) -> ScheduleResult:
    """The same answer with another memory plan."""
    made = Planned(plan, found.calls or tuple(calls))
    return replace(found, planned=lambda: made, arena_bytes=plan.arena_bytes)


def _within(
    graph: Graph, calls: Sequence[KernelCall], limit: int, options: Options, where: str
) -> tuple[ScheduleResult | None, DoesNotFit | None]:
    try:
        return best_schedule(graph, calls, limit, options, where), None
    except DoesNotFit as refusal:
        return None, refusal


def _over_banks(
    graph: Graph,
    calls: Sequence[KernelCall],
    rooms: Sequence[BankRoom],
    most: int,
    options: Options,
    where: str,
    one: ScheduleResult | None,
) -> ScheduleResult | DoesNotFit | None:
    """The best schedule that can be cut into the banks and beats ``one``; what the optimiser says where nothing fits
    all banks together; None where ``one`` is as good, or no cut was found."""
    limit, missed = most, 0
    largest: Buffer | None = None
    for _ in range(TRIES):
        found, refusal = _within(graph, calls, limit, options, where)
        if found is None and limit == most:
            return refusal
        if found is None or (one is not None and found.estimated_cycles >= one.estimated_cycles):
            break
        cut = _cut(found, calls, rooms, most)
        if cut is not None:
            return cut
        missed, largest = found.arena_bytes, max(found.plan.timeline, key=lambda b: b.nbytes)
        limit = missed - max(64, int(_STEP * missed))
    if options.objective == "sram" and missed:
        larger = _larger(graph, calls, rooms, (missed, most), options, where)
        if larger is not None:
            return larger
    return _no_cut(graph, rooms, where, missed, largest, options)


def _cut(
    found: ScheduleResult, calls: Sequence[KernelCall], rooms: Sequence[BankRoom], most: int
) -> ScheduleResult | None:
    """The schedule with its buffers dealt to the banks; None where no way was found."""
    plan = plan_in_banks(found.graph, found.schedule, found.calls or calls, rooms, most)
    if plan is None:
        return None
    banks = ", ".join(f"{part.used_bytes:,} B in {part.bank}" for part in plan.parts)
    reason = f"cut between buffers into banks it takes {plan.arena_bytes:,} B ({banks}): none overlap across banks"
    planned = _planned(found, calls, plan)
    proven = found.proven_optimal and plan.proven_optimal
    return replace(planned, proven_optimal=proven, explanation=(*found.explanation, reason))


def _larger(
    graph: Graph,
    calls: Sequence[KernelCall],
    rooms: Sequence[BankRoom],
    sizes: tuple[int, int],
    options: Options,
    where: str,
) -> ScheduleResult | None:
    """Where the smallest schedule cannot be cut, the first that can of those that fit more and more bytes, from the
    first of ``sizes`` to the second: other buffers, none of which may be as large."""
    faster = replace(options, objective="balanced", max_mac_factor=options.factor)
    low, high = sizes
    seen = set()
    for step in range(1, TRIES + 1):
        found, _ = _within(graph, calls, low + (high - low) * step // TRIES, faster, where)
        if found is None or found.schedule in seen:
            continue
        seen.add(found.schedule)
        cut = _cut(found, calls, rooms, high)
        if cut is not None:
            return replace(cut, proven_optimal=False)
    return None


def _no_cut(
    graph: Graph, rooms: Sequence[BankRoom], where: str, missed: int, largest: Buffer | None, options: Options
) -> DoesNotFit:
    """``missed``: bytes of the smallest schedule that was tried; ``largest``: its largest buffer."""
    banks = ", ".join(f"{room.name} {room.room_bytes:,} B" for room in rooms)
    buffer = f"; its largest buffer has {largest.nbytes:,} B" if largest else ""
    hints = ["--schedule auto"] if options.schedule != "auto" else []
    hints += ["--objective sram"] if options.objective != "sram" else ["a higher --max-mac-factor"]
    hints += ["--input rows"] if options.input != "rows" else []
    return DoesNotFit(
        f"{graph.name}: needs {missed:,} B of SRAM, and no way was found to cut it between buffers into the banks of "
        f"{where} (free for a model: {banks}{buffer}); try {', '.join(hints)}, or a board with larger banks"
    )
