"""Chooses the schedule of a network: the fastest that fits, or the smallest that is fast enough."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tinyforge.errors import DoesNotFit, UsageError
from tinyforge.ir.graph import Graph
from tinyforge.ir.memory_plan import MemoryPlan
from tinyforge.ir.program import KernelCall
from tinyforge.ir.schedule import FusedStage, LayerStage, Schedule, Stage
from tinyforge.memory.plan import plan_memory
from tinyforge.schedule.layerwise import layerwise
from tinyforge.schedule.patches import Candidate, patch_candidates
from tinyforge.schedule.space import Space, make_space

OBJECTIVES = ("balanced", "sram", "latency")
SCHEDULES = ("auto", "layerwise", "patch")
DEFAULT_SRAM_MAC_FACTOR = 1.10


@dataclass(frozen=True, slots=True)
class Options:
    """What to look for.

    objective: ``balanced`` and ``latency``: least compute that fits, and of those the smallest; ``sram``: least SRAM
    with at most ``max_mac_factor`` times the network's own MACs (default 1.10). schedule: the family. Without a factor
    the first two objectives have no limit.
    """

    objective: str = "balanced"
    schedule: str = "auto"
    max_mac_factor: float | None = None

    def __post_init__(self) -> None:
        if self.objective not in OBJECTIVES:
            raise UsageError(f"objective {self.objective!r} is unknown; choose one of {', '.join(OBJECTIVES)}")
        if self.schedule not in SCHEDULES:
            raise UsageError(f"schedule {self.schedule!r} is unknown; choose one of {', '.join(SCHEDULES)}")
        if self.max_mac_factor is not None and not 1.0 <= self.max_mac_factor < math.inf:
            raise UsageError(f"a MAC factor of {self.max_mac_factor} makes no sense; give 1.0 or more")

    @property
    def factor(self) -> float:
        if self.max_mac_factor is not None:
            return self.max_mac_factor
        return DEFAULT_SRAM_MAC_FACTOR if self.objective == "sram" else math.inf


@dataclass(frozen=True, slots=True, eq=False)
class ScheduleResult:
    """A schedule with its memory plan and cost.

    lower_bound: bytes below which no schedule of ``family`` comes. proven_optimal: nothing better exists in ``family``.
    considered: candidates looked at. layerwise_bytes: what layer by layer would need. explanation: why this one.
    """

    schedule: Schedule
    plan: MemoryPlan
    macs: int
    executed_macs: int
    family: str
    proven_optimal: bool
    lower_bound: int
    considered: int
    layerwise_bytes: int
    explanation: tuple[str, ...]

    @property
    def mac_factor(self) -> float:
        return self.executed_macs / self.macs if self.macs else 1.0


@dataclass(frozen=True, slots=True)
class _Option:
    """A whole schedule before its memory is planned; ``bytes`` is the largest live set, in place counted."""

    schedule: Schedule
    nbytes: int
    macs: int


def optimise(
    graph: Graph,
    calls: Sequence[KernelCall],
    sram_bytes: int | None = None,
    options: Options | None = None,
    where: str = "the board",
) -> ScheduleResult:
    """The best schedule of ``graph`` for ``options`` within ``sram_bytes`` (None: no limit) of arena.

    ``where`` names the board in messages. Raises DoesNotFit with the peak, the best reachable figure and what to try.
    """
    options = options or Options()
    space = make_space(graph, calls)
    limit = sram_bytes if sram_bytes is not None else 1 << 62
    base = _Option(layerwise(graph), max(map(space.layer_bytes, range(space.count)), default=0), space.total_macs)
    base_plan = plan_memory(graph, base.schedule, calls)
    considered = [base]
    need_patches = options.objective == "sram" or base_plan.arena_bytes > limit
    if options.schedule == "patch" or (options.schedule == "auto" and need_patches):
        considered += _patch_options(space)
    allowed = [o for o in considered if o.macs <= options.factor * max(space.total_macs, 1)]
    if options.schedule == "patch":
        allowed = [o for o in allowed if o is not base] or allowed
    chosen = _choose(space, allowed, limit, options, base, base_plan)
    if chosen is None:
        raise DoesNotFit(_refusal(space, considered, options, limit, where, base_plan))
    option, plan = chosen
    return ScheduleResult(
        schedule=option.schedule,
        plan=plan,
        macs=space.total_macs,
        executed_macs=option.macs,
        family="layer by layer" if len(considered) == 1 else "layer by layer; a patch-based first stage and layers",
        proven_optimal=plan.proven_optimal,
        lower_bound=min(o.nbytes for o in considered),
        considered=len(considered),
        layerwise_bytes=base_plan.arena_bytes,
        explanation=_explain(space, option, plan, base_plan, limit, options, len(considered)),
    )


def _patch_options(space: Space) -> list[_Option]:
    """The first k operators over every grid, for every k; the rest layer by layer."""
    tail = [0] * (space.count + 1)
    for i in reversed(range(space.count)):
        tail[i] = max(tail[i + 1], space.layer_bytes(i))
    rest_macs = space.total_macs
    found = []
    for last in range(1, space.count):
        own = sum(space.macs[: last + 1])
        for c in _useful(patch_candidates(space, 0, last)):
            stages: tuple[Stage, ...] = (c.stage, *(LayerStage(i) for i in range(last + 1, space.count)))
            found.append(_Option(Schedule(stages), max(c.peak_bytes, tail[last + 1]), rest_macs - own + c.macs))
    return found


def _useful(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Those that no other beats in both bytes and MACs."""
    kept: list[Candidate] = []
    for c in sorted(candidates, key=lambda c: (c.macs, c.peak_bytes)):
        if not kept or c.peak_bytes < kept[-1].peak_bytes:
            kept.append(c)
    return kept


def _choose(
    space: Space,
    allowed: Sequence[_Option],
    limit: int,
    options: Options,
    base: _Option,
    base_plan: MemoryPlan,
) -> tuple[_Option, MemoryPlan] | None:
    """The first option in order of preference whose plan keeps what its live set promises (or the best that comes)."""
    key: Callable[[_Option], tuple[int, int]]
    key = (lambda o: (o.nbytes, o.macs)) if options.objective == "sram" else (lambda o: (o.macs, o.nbytes))
    best: tuple[_Option, MemoryPlan] | None = None
    for option in sorted(allowed, key=key):
        if best is not None and key(option) >= _planned(best, options):
            break
        if option.nbytes > limit:
            continue
        plan = base_plan if option is base else plan_memory(space.graph, option.schedule, space.calls, effort=2000)
        if plan.arena_bytes > limit:
            continue
        if best is None or _planned((option, plan), options) < _planned(best, options):
            best = option, plan
    return best


def _planned(choice: tuple[_Option, MemoryPlan], options: Options) -> tuple[int, int]:
    option, plan = choice
    return (plan.arena_bytes, option.macs) if options.objective == "sram" else (option.macs, plan.arena_bytes)


def _node_name(space: Space, step: int) -> str:
    return space.graph.nodes[step].name.split(";")[0] if space.graph.nodes else "nothing"


def _refusal(
    space: Space, considered: Sequence[_Option], options: Options, limit: int, where: str, base_plan: MemoryPlan
) -> str:
    """What it needs, what there is, where the peak is, the best that can be reached, and what to try."""
    factor = options.factor
    within = [o for o in considered if o.macs <= factor * max(space.total_macs, 1)] or list(considered)
    smallest = min(within, key=lambda o: o.nbytes)
    plan = plan_memory(space.graph, smallest.schedule, space.calls, effort=0)
    if plan.arena_bytes > base_plan.arena_bytes:
        plan = base_plan
    anything = min(o.nbytes for o in considered)
    hints = []
    if anything < plan.arena_bytes and math.isfinite(factor):
        least = min(o.macs for o in considered if o.nbytes == anything)
        hints.append(f"--max-mac-factor {math.ceil(100 * least / max(space.total_macs, 1)) / 100:.2f}")
    if options.schedule == "layerwise":
        hints.append("--schedule auto")
    hints += ["a smaller input", f"a board with more: tinyforge boards --sram {-(-plan.arena_bytes // 1024)}K"]
    if not (where and limit < 1 << 62):
        where = "the limit"
    return (
        f"{space.graph.name}: needs {plan.arena_bytes:,} B of SRAM, {where} has {limit:,} B for it (peak at step "
        f"{plan.peak_step}, {_node_name(space, plan.peak_step)}; layer by layer it is {base_plan.arena_bytes:,} B); "
        f"try {', or '.join(hints)}"
    )


def _explain(
    space: Space,
    option: _Option,
    plan: MemoryPlan,
    base_plan: MemoryPlan,
    limit: int,
    options: Options,
    considered: int,
) -> tuple[str, ...]:
    lines = []
    fits = base_plan.arena_bytes <= limit
    bound = f", the limit is {limit:,} B" if limit < 1 << 62 else ""
    lines.append(f"layer by layer needs {base_plan.arena_bytes:,} B{bound}")
    if option.schedule.stages and isinstance(option.schedule.stages[0], FusedStage):
        stage = option.schedule.stages[0]
        height, width, _ = space.graph.tensors[space.graph.nodes[stage.last].outputs[0]].type.hwc
        grid = -(-height // stage.patch_h), -(-width // stage.patch_w)
        lines.append(
            f"operators 0 to {stage.last} run in {grid[0]} x {grid[1]} patches of {stage.patch_h} x {stage.patch_w} "
            f"output pixels: {plan.arena_bytes:,} B for {option.macs / max(space.total_macs, 1):.3f} times the MACs"
        )
    elif fits and options.objective != "sram":
        lines.append("that fits and computes least, so nothing is fused")
    lines.append(f"{considered} schedules were compared; the peak is at {_node_name(space, plan.peak_step)}")
    return tuple(lines)
