"""The fast level's answer for a graph: the schedule of the closed form; its exact plan is made when it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from tinyforge.errors import DoesNotFit
from tinyforge.ir.graph import Graph
from tinyforge.ir.program import KernelCall
from tinyforge.ir.schedule import CACHED, FusedStage, Halo, LayerStage, Schedule, Stage, TensorMode
from tinyforge.memory.plan import plan_memory
from tinyforge.schedule.closed_form import GRIDS
from tinyforge.schedule.fast import NO_LIMIT, Choice, Fast, wire_graph
from tinyforge.schedule.kernels import fitted, kernels
from tinyforge.schedule.network import Path
from tinyforge.schedule.options import Options, Planned, ScheduleResult, StageCost
from tinyforge.schedule.space import Space
from tinyforge.schedule.stage_cost import Edge, Link

COLUMNS_CACHED = TensorMode(Halo.RECOMPUTE, Halo.CACHE)


def fast_answer(
    graph: Graph, calls: Sequence[KernelCall], sram_bytes: int | None, options: Options, where: str
) -> ScheduleResult:
    """As ``optimise`` at level ``fast``. Raises DoesNotFit by the estimate."""
    slim = options.objective == "sram"
    fast = Fast(wire_graph(graph, calls, slim), options, sram_bytes)
    best = fast.choose()
    if (best is None or best.nbytes > fast.limit) and not slim:
        slim = True
        fast = Fast(wire_graph(graph, calls, slim), options, sram_bytes)
        best = fast.choose()
    if best is None:
        raise DoesNotFit(f"{graph.name}: its input cannot be fed row by row: it is needed whole at once; use whole")
    if best.nbytes > fast.limit:
        raise DoesNotFit(
            f"{graph.name}: needs about {best.nbytes:,} B of SRAM, {where} has {fast.limit:,} B for it; try "
            f"{'' if options.input == 'rows' else '--input rows, '}a smaller input, or a board with more: tinyforge "
            f"boards --sram {-(-best.nbytes // 1024)}K"
        )
    return _result(graph, calls, fast, best, slim)


def as_path(space: Space, fast: Fast, best: Choice) -> Path:
    """The fast level's choice among the stages of the full one."""
    table, ids = fast.table, {name: i for i, name in enumerate(space.names)}
    edges = []
    for column, way in zip(best.columns, best.ways, strict=True):
        first, last = int(table.first[column]), int(table.last[column])
        figures = int(table.nbytes[way, column]), round(table.macs[way, column]), float(table.cycles[way, column])
        if _whole(fast, first, last):
            edges.append(Edge(first, last, *figures, 0, 0, None))
            continue
        stage = _stage(space.graph, fast, first, last, way)
        modes: Link | None = None
        for name, mode in stage.modes:
            modes = Link(ids[name], mode, modes)
        edges.append(Edge(first, last, *figures, stage.patch_h, stage.patch_w, modes))
    return Path(tuple(edges))


def _result(graph: Graph, calls: Sequence[KernelCall], fast: Fast, best: Choice, slim: bool) -> ScheduleResult:
    schedule = _schedule(graph, fast, best)

    @cache
    def planned() -> Planned:
        if not slim:
            used = fitted(graph, schedule, calls)
            return Planned(plan_memory(graph, schedule, used, effort=4000, moves=True), used)
        variants = kernels(graph, calls, fast.options.simd).fitted(graph, schedule)
        plan = plan_memory(graph, schedule, variants.slim, effort=4000, moves=True)
        roomy = fast.options.objective != "sram" and plan.arena_bytes <= fast.limit < NO_LIMIT
        return Planned(*variants.grown(plan, fast.limit if roomy else plan.arena_bytes))

    table = fast.table
    stages = tuple(
        StageCost(
            first=int(table.first[column]),
            last=int(table.last[column]),
            nbytes=int(table.nbytes[way, column]),
            macs=round(float(table.macs[way, column])),
            own_macs=round(float(table.macs[0, column])),
            cycles=round(float(table.cycles[way, column])),
        )
        for column, way in zip(best.columns, best.ways, strict=True)
    )
    return ScheduleResult(
        graph=graph,
        schedule=schedule,
        planned=planned,
        arena_bytes=best.nbytes,
        macs=fast.macs,
        executed_macs=round(best.macs),
        family="row model: stages with everything cached or expansions recomputed, few grids",
        proven_optimal=False,
        lower_bound=0,
        considered=table.nbytes.size,
        layerwise_bytes=int(fast.wiring.layer_bytes.max(initial=0)),
        explanation=(f"the fast level's estimate is {best.nbytes:,} B",),
        estimated_cycles=round(best.cycles),
        stages=stages,
    )


def _schedule(graph: Graph, fast: Fast, best: Choice) -> Schedule:
    stages: list[Stage] = []
    for column, way in zip(best.columns, best.ways, strict=True):
        first, last = int(fast.table.first[column]), int(fast.table.last[column])
        stages.append(LayerStage(first) if _whole(fast, first, last) else _stage(graph, fast, first, last, way))
    return Schedule(tuple(stages), input_rows=fast.fed)


def _whole(fast: Fast, first: int, last: int) -> bool:
    """Whether the layers run on whole tensors: one by itself, unless it reads a fed input."""
    return first == last and not (fast.fed and first == 0)


def _stage(graph: Graph, fast: Fast, first: int, last: int, way: int) -> FusedStage:
    table = fast.table
    mode, grid = divmod(way, len(GRIDS))
    kind = int(table.kinds[last])
    rings, sideways = table.rings[mode, grid, kind].tolist(), table.sideways[grid, kind].tolist()
    modes = []
    for layer in range(first, last):
        name = graph.nodes[layer].outputs[0]
        if rings[layer]:
            modes.append((name, CACHED))
        elif sideways[layer]:
            modes.append((name, COLUMNS_CACHED))
    rows, chunk = GRIDS[grid]
    node = graph.nodes[last]
    reduces = fast.wiring.wired.facts[last].reduces
    width = graph.tensors[node.inputs[0] if reduces else node.outputs[0]].type.hwc[1]
    return FusedStage(first, last, rows, chunk or width, tuple(modes))
