"""Text forms of a compiled model's insides, for people who look for the reason of something."""

from __future__ import annotations

from pathlib import Path

from tinyforge.codegen.build_info import metadata_dir
from tinyforge.ir.printer import graph_lines, program_lines
from tinyforge.ops.channel_slices import calls_as_run
from tinyforge.reporting.words import arena_lines, schedule_lines
from tinyforge.schedule.optimise import ScheduleResult


def write_dump(folder: Path, found: ScheduleResult) -> None:
    """``graph.txt``, ``program.txt``, ``schedule.txt`` and ``memory.txt`` in the build's hidden folder."""
    graph = found.graph
    texts = {
        "graph": graph_lines(graph),
        "program": program_lines(graph, calls_as_run(graph, found.schedule, found.calls)),
        "schedule": [*schedule_lines(graph, found.schedule), *found.explanation, "", *map(str, found.schedule.stages)],
        "memory": [
            f"arena {found.plan.arena_bytes:,} B, lower bound {found.plan.lower_bound:,} B",
            *arena_lines(found.plan),
        ],
    }
    for name, lines in texts.items():
        (metadata_dir(folder) / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
