"""Text forms of a compiled model's insides, for people who look for the reason of something."""

from __future__ import annotations

from pathlib import Path

from tinyforge.codegen.build_info import metadata_dir
from tinyforge.ir.graph import Graph, Node
from tinyforge.reporting.words import arena_lines, schedule_lines, tensor_line
from tinyforge.schedule.optimise import ScheduleResult


def write_dump(folder: Path, graph: Graph, found: ScheduleResult) -> None:
    """``graph.txt``, ``schedule.txt`` and ``memory.txt`` in the build's hidden folder."""
    texts = {
        "graph": graph_lines(graph),
        "schedule": [*schedule_lines(graph, found.schedule), *found.explanation, "", *map(str, found.schedule.stages)],
        "memory": [
            f"arena {found.plan.arena_bytes:,} B, lower bound {found.plan.lower_bound:,} B",
            *arena_lines(found.plan),
        ],
    }
    for name, lines in texts.items():
        (metadata_dir(folder) / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def graph_lines(graph: Graph) -> list[str]:
    """One line a node, inputs and constants included."""
    lines = [f"graph {graph.name}"]
    lines += [f"  input  {tensor_line(name, graph.tensors[name].type)}" for name in graph.inputs]
    lines += [f"  {index:3d} {_node_text(graph, node)}" for index, node in enumerate(graph.nodes)]
    return lines + [f"  output {tensor_line(name, graph.tensors[name].type)}" for name in graph.outputs]


def _node_text(graph: Graph, node: Node) -> str:
    inputs = ", ".join(f"{'const ' * t.is_constant}{t.name}" for t in graph.ins(node))
    outputs = ", ".join(f"{t.name} {'x'.join(map(str, t.shape))} {t.type.dtype.value}" for t in graph.outs(node))
    return f"{outputs} = {node.op}({inputs})"
