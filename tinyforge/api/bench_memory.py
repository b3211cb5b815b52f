"""``tinyforge.bench_memory``: networks under several families of schedules, under one definition of memory."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tinyforge.api.compile import compile
from tinyforge.api.network import read_network
from tinyforge.api.progress import Progress, quiet
from tinyforge.api.run import run
from tinyforge.api.settings import existing_file
from tinyforge.codegen.generate import lower_graph
from tinyforge.errors import DoesNotFit, UsageError
from tinyforge.ir.graph import Graph
from tinyforge.reporting.memory_table import MemoryRow, ModelMemory, OtherTool, Run, read_record, rewrite_memory_page
from tinyforge.reporting.peers import memory_figures
from tinyforge.schedule.best import best_schedule
from tinyforge.schedule.compare import FAMILIES, Family, parts_at_peak, plan_in_style
from tinyforge.schedule.options import Options
from tinyforge.target import Board, load_board


@dataclass(frozen=True, slots=True)
class MemoryBench:
    """Models in the order they were given, planned for ``board`` and, where rows say so, run on it."""

    board: str
    models: tuple[ModelMemory, ...]

    def as_json(self) -> dict[str, Any]:
        return {"board": self.board, "models": [model.as_json() for model in self.models]}


def bench_memory(
    models: Sequence[str | Path] = (),
    *,
    board: str = "emulated_m7",
    measure: bool = True,
    records: Sequence[str | Path] = (),
    out: str | Path | None = None,
    page: str | Path | None = None,
    progress: Progress = quiet,
) -> MemoryBench:
    """Schedule every ``.tflite`` file of ``models`` under each family, and build and run what can be built.

    ``measure``: one sample on the emulated ``board``, with input and output of ``NAME.golden.npz`` beside the model,
    else a random one and the interpreter's; without, plans only. ``records``: JSON files whose models come first, each
    unless it is measured again. ``out``: JSON file to write. ``page``: Markdown page
    whose tables are rewritten. Raises ModelError, UsageError, and with ``measure`` ToolMissing and DeviceError.
    """
    if not models and not records:
        raise UsageError("bench memory needs .tflite files, or a record with --from FILE.json")
    paths = [existing_file(model) for model in models]
    target = load_board(board)
    found = _recorded(records, target.name)
    for done, path in enumerate(paths):
        graph = read_network(path, "int8").graph
        case = _Case(path, graph, target, measure)
        rows, refused = [], {}
        for i, family in enumerate(FAMILIES):
            progress(f"{path.name}: {family.name}", done * len(FAMILIES) + i, len(paths) * len(FAMILIES))
            try:
                rows.append(case.row(family))
            except DoesNotFit as reason:
                refused[family.name] = str(reason)
        others = tuple(OtherTool(*figure) for figure in memory_figures(path.stem))
        found[path.name] = ModelMemory(path.name, tuple(rows), refused, others)
    result = MemoryBench(target.name, tuple(found.values()))
    if out is not None:
        Path(out).write_text(json.dumps(result.as_json(), indent=1) + "\n", encoding="utf-8")
    if page is not None:
        rewrite_memory_page(Path(page), result.models, result.board)
    return result


def _recorded(records: Sequence[str | Path], board: str) -> dict[str, ModelMemory]:
    """The models of the records by file name, the last one of each."""
    found: dict[str, ModelMemory] = {}
    for path in records:
        other, models = read_record(Path(path))
        if other != board:
            raise UsageError(f"{path}: was measured on {other}, not {board}; choose that one with --board")
        found.update({model.model: model for model in models})
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Case:
    """One model."""

    path: Path
    graph: Graph
    board: Board
    measure: bool

    def row(self, family: Family) -> MemoryRow:
        """The family's answer; DoesNotFit where it has none."""
        if family.options is None:
            plan = plan_in_style(self.graph, lower_graph(self.graph, self.board.isa), family.style)
            return MemoryRow(family.name, plan.arena_bytes, 1.0, None, parts_at_peak(plan.timeline, plan.peak_step))
        return self._measured(family, family.options) if self.measure else self._planned(family, family.options)

    def _planned(self, family: Family, options: Options) -> MemoryRow:
        calls = lower_graph(self.graph, self.board.isa)
        found = best_schedule(self.graph, calls, None, replace(options, simd=self.board.core.simd), self.board.name)
        parts = parts_at_peak(found.plan.timeline, found.plan.peak_step)
        return MemoryRow(family.name, found.plan.arena_bytes, found.mac_factor, found.estimated_cycles, parts)

    def _measured(self, family: Family, options: Options) -> MemoryRow:
        golden = self.path.with_name(f"{self.path.stem}.golden.npz")
        given = golden if golden.is_file() else None
        with tempfile.TemporaryDirectory(prefix="tinyforge.") as folder:
            built = compile(
                self.path,
                board=self.board.name,
                out=Path(folder) / "build",
                objective=options.objective,
                schedule=options.schedule,
                input_mode=options.input,
                max_mac_factor=options.max_mac_factor,
                max_cycle_factor=options.max_cycle_factor,
            )
            done = run(built.out, inputs=given, reference=given, samples=1)
        result = done.result
        needed = sum(op.macs for op in built.info.operators if op.repeats is None)
        return MemoryRow(
            family=family.name,
            arena_bytes=built.info.arena_bytes,
            mac_factor=built.info.executed_macs / needed if needed else 1.0,
            estimated_cycles=result.estimated_cycles.get(self.board.core.name),
            parts=parts_at_peak(built.plan.buffers, built.plan.peak_step),
            run=Run(
                linked_bytes=done.arena_linked_bytes or 0,
                high_water_bytes=result.arena_high_water_bytes,
                stack_bytes=result.stack_high_water_bytes,
                instructions=result.instructions,
                mismatches=done.mismatches,
            ),
        )
