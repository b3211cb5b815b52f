"""The schedule of a network, squeeze-and-excite blocks in two passes where that makes it smaller, or fit at all.

Each of its forms (``schedule.forms``) is scheduled like any other network.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tinyforge.errors import DoesNotFit
from tinyforge.ir.graph import Graph
from tinyforge.ir.program import KernelCall
from tinyforge.memory.plan import plan_memory
from tinyforge.schedule.estimate import Costs
from tinyforge.schedule.forms import Form, forms
from tinyforge.schedule.kernels import kernels
from tinyforge.schedule.layerwise import layerwise
from tinyforge.schedule.network import few_edges, smallest
from tinyforge.schedule.optimise import NO_LIMIT, cycle_limit, optimise
from tinyforge.schedule.options import Options, ScheduleResult
from tinyforge.schedule.space import make_space
from tinyforge.schedule.stage_cost import Limits

DOUBT = 1.25
"""How far a first look may be above what a search finds, where a limit is to be kept."""


def best_schedule(
    graph: Graph,
    calls: Sequence[KernelCall],
    sram_bytes: int | None = None,
    options: Options | None = None,
    where: str = "the board",
) -> ScheduleResult:
    """``optimise`` over the network and its forms with squeeze-and-excite blocks in two passes, never worse than
    without in what is minimised. Raises DoesNotFit with the peak, the best reachable figure and what to try."""
    options = options or Options()
    found = forms(graph, calls, options)
    if len(found) == 1:
        return optimise(graph, calls, sram_bytes, options, where)
    return _Choice(found, sram_bytes, options, where).run()


@dataclass(frozen=True, slots=True)
class _Promise:
    """Bytes that a first look by closed forms promises, NO_LIMIT where it finds nothing; whether within the limit of
    cycles."""

    nbytes: int
    in_time: bool


def _promise(form: Form, options: Options) -> _Promise:
    slim = kernels(form.graph, form.calls, options.simd).slim
    space = make_space(form.graph, slim, Costs(form.graph).all(form.calls))
    fed = options.input == "rows"
    few = few_edges(space, Limits(2 * sum(space.nbytes) + 64, 0, fed=fed))
    in_time = cycle_limit(space, options)
    for cycles in (in_time, math.inf):
        path = smallest(space, few, options.factor * space.total_macs, cycles)
        if path is not None:
            return _Promise(path.nbytes, cycles is in_time)
    return _Promise(NO_LIMIT, False)


class _Choice:
    """One question about a network that has squeezes."""

    def __init__(self, forms: tuple[Form, ...], limit: int | None, options: Options, where: str) -> None:
        self.forms, self.limit, self.options, self.where = forms, limit, options, where

    def run(self) -> ScheduleResult:
        if self.options.objective == "sram":
            return self._smallest(self.options)
        try:
            return self._answer(self.forms[0], self.options)
        except DoesNotFit:
            return self._fitting() or self._smallest(replace(self.options, objective="sram"))

    def _fitting(self) -> ScheduleResult | None:
        """The form with fewest repeated blocks that fits; they are passed over where it is plain that they do not."""
        limit = self.limit if self.limit is not None else NO_LIMIT
        for form in self.forms[1:]:
            if form.floor > limit or _promise(form, self.options).nbytes > DOUBT * limit:
                continue
            try:
                return self._answer(form, self.options)
            except DoesNotFit:
                continue
        return None

    def _smallest(self, options: Options) -> ScheduleResult:
        """The form of least SRAM: those that promise most first, until no other one can be better."""
        promises = [(_promise(form, options), form) for form in self.forms]
        best: ScheduleResult | None = None
        refusal: DoesNotFit | None = None
        for promised, form in sorted(promises, key=lambda p: (not p[0].in_time, p[0].nbytes, len(p[1].held))):
            if best is not None and self._cannot_win(form, promised, best):
                continue
            try:
                found = self._answer(form, options)
            except DoesNotFit as error:
                refusal = refusal or error
                continue
            if best is None or found.plan.arena_bytes < best.plan.arena_bytes:
                best = found
        if best is None:
            assert refusal is not None
            raise refusal
        return best

    @staticmethod
    def _cannot_win(form: Form, promised: _Promise, best: ScheduleResult) -> bool:
        """By what is alive at the next squeeze; by the promise only for networks with squeezes in two passes."""
        size = best.plan.arena_bytes
        return form.floor >= size or bool(form.held and promised.nbytes >= size)

    def _answer(self, form: Form, options: Options) -> ScheduleResult:
        own, macs = self.forms[0], form.own_macs
        if options.level == "fast" and math.isfinite(options.factor):
            options = replace(options, max_mac_factor=max(1.0, options.factor * macs / (macs + form.repeated_macs)))
        found = optimise(form.graph, form.calls, self.limit, options, self.where)
        if not form.held:
            return found
        whole = plan_memory(own.graph, layerwise(own.graph), own.calls, effort=4000).arena_bytes
        return replace(
            found,
            macs=macs,
            family=f"{found.family}; squeeze-and-excite blocks in two passes, those that hold most first",
            proven_optimal=False,
            layerwise_bytes=whole,
            explanation=(*_reasons(form), *found.explanation),
        )


def _reasons(form: Form) -> tuple[str, ...]:
    names = [name.split(";")[0] for name in form.held]
    return (
        f"{len(names)} squeeze-and-excite blocks run in two passes ({', '.join(names)}): the first only pools, the "
        f"second computes the map again; held across its squeeze it would take {form.most:,} B with what lies beside "
        f"it",
    )
