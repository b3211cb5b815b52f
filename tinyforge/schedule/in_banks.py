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
        if found is None or (one is not None and found.estimated_cycles >= one.estimated_cycles):
            return refusal if limit == most else _no_cut(graph, rooms, where, missed, largest)
        plan = plan_in_banks(found.graph, found.schedule, found.calls or calls, rooms, most)
        if plan is not None:
            planned = _planned(found, calls, plan)
            return replace(planned, proven_optimal=found.proven_optimal and plan.proven_optimal)
        missed, largest = found.arena_bytes, max(found.plan.timeline, key=lambda b: b.nbytes)
        limit = missed - max(64, int(_STEP * missed))
    return _no_cut(graph, rooms, where, missed, largest)


def _no_cut(graph: Graph, rooms: Sequence[BankRoom], where: str, missed: int, largest: Buffer | None) -> DoesNotFit:
    """``missed``: bytes of the smallest schedule that was tried; ``largest``: its largest buffer."""
    banks = ", ".join(f"{room.name} {room.room_bytes:,} B" for room in rooms)
    buffer = f"; its largest buffer has {largest.nbytes:,} B" if largest else ""
    return DoesNotFit(
        f"{graph.name}: needs {missed:,} B of SRAM, and no way was found to cut it between buffers into the banks of "
        f"{where} (free for a model: {banks}{buffer}); try --objective sram, --input rows, or a board with larger banks"
    )
