"""What a report draws: memory timeline and stages of a build, kept beside its build info as plain JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tinyforge.codegen.build_info import metadata_dir
from tinyforge.errors import UsageError
from tinyforge.ir.graph import Graph
from tinyforge.ir.memory_plan import ArenaPart, Buffer
from tinyforge.ir.schedule import LayerStage, Schedule
from tinyforge.ops.stage_windows import walk_stage
from tinyforge.reporting.bands import HeldTensor, StageBands, stage_bands
from tinyforge.reporting.words import StageSummary, node_macs, schedule_lines, stage_summary
from tinyforge.schedule.front import Point
from tinyforge.schedule.optimise import ScheduleResult

_FILE = "plan.json"


@dataclass(frozen=True, slots=True)
class PlanFile:
    """Stages, buffers and the peak of a build. ``layer_macs``: executed MACs of each operator, recomputation included;
    ``layer_shapes``: of each operator's first output. ``layerwise_arena_bytes``: what layer by layer would need.
    ``words``: the schedule in words; ``reasons``: why it was chosen. ``bound``: no schedule of ``family`` needs fewer
    bytes within the limits. ``parts``: of an arena in several banks, or not in the first. ``front``: points of the
    whole front, empty where nobody asked for it. ``estimated_cycles``: the scheduler's, for comparing schedules.
    ``bands``: what each fused stage holds from band to band."""

    stages: tuple[StageSummary, ...]
    buffers: tuple[Buffer, ...]
    peak_step: int
    arena_bytes: int
    lower_bound: int
    layerwise_arena_bytes: int
    layer_macs: tuple[int, ...]
    layer_shapes: tuple[tuple[int, ...], ...]
    words: tuple[str, ...]
    reasons: tuple[str, ...]
    bound: int
    family: str
    parts: tuple[ArenaPart, ...] = ()
    estimated_cycles: int = 0
    front: tuple[Point, ...] = ()
    bands: tuple[StageBands, ...] = ()


def plan_file(found: ScheduleResult, front: tuple[Point, ...] = ()) -> PlanFile:
    """What a report needs of a compiled model."""
    graph, schedule, plan = found.graph, found.schedule, found.plan
    return PlanFile(
        stages=tuple(stage_summary(graph, stage) for stage in schedule.stages),
        buffers=plan.timeline,
        peak_step=plan.peak_step,
        arena_bytes=plan.arena_bytes,
        lower_bound=plan.lower_bound,
        layerwise_arena_bytes=found.layerwise_bytes,
        layer_macs=tuple(_executed(graph, schedule)),
        layer_shapes=tuple(graph.outs(node)[0].shape for node in graph.nodes),
        words=tuple(schedule_lines(graph, schedule)),
        reasons=found.explanation,
        bound=found.lower_bound,
        family=found.family,
        parts=plan.parts,
        estimated_cycles=found.estimated_cycles,
        front=front,
        bands=stage_bands(graph, schedule, plan),
    )


def _executed(graph: Graph, schedule: Schedule) -> list[int]:
    """Executed MACs by operator."""
    found: list[int] = []
    for stage in schedule.stages:
        if isinstance(stage, LayerStage):
            found.append(node_macs(graph, stage.node))
            continue
        walk = walk_stage(graph, stage)
        for node in walk.nodes:
            if node.reduces:
                found.append(node_macs(graph, node.index))
                continue
            height, width, _ = graph.outs(graph.nodes[node.index])[0].type.hwc
            found.append(node_macs(graph, node.index) * walk.executed_pixels(node) // (height * width))
    return found


def save_plan(plan: PlanFile, build_dir: Path) -> None:
    """Write it into the build's hidden folder."""
    path = metadata_dir(build_dir) / _FILE
    path.write_text(json.dumps(asdict(plan), indent=1, sort_keys=True) + "\n", encoding="utf-8")


def load_plan(build_dir: Path) -> PlanFile:
    """Read it back. Raises UsageError where it is absent or not what ``save_plan`` wrote."""
    path = metadata_dir(build_dir) / _FILE
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        stages = tuple(StageSummary(**{k: _tuples(v) for k, v in s.items()}) for s in document.pop("stages"))
        buffers = tuple(Buffer(**{k: _tuples(v) for k, v in b.items()}) for b in document.pop("buffers"))
        parts = tuple(ArenaPart(**p) for p in document.pop("parts"))
        front = tuple(Point(**p) for p in document.pop("front"))
        bands = tuple(_bands(b) for b in document.pop("bands"))
        rest = {k: _tuples(v) for k, v in document.items()}
        return PlanFile(stages=stages, buffers=buffers, parts=parts, front=front, bands=bands, **rest)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UsageError(f"{path} cannot be read ({error}); compile the model again") from error


def _bands(stage: dict[str, Any]) -> StageBands:
    tensors = tuple(HeldTensor(**{k: _tuples(v) for k, v in t.items()}) for t in stage.pop("tensors"))
    return StageBands(tensors=tensors, **stage)


def _tuples(value: Any) -> Any:
    """Lists, nested ones too, as tuples."""
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value
