"""Where outputs may grow over dying inputs."""

from __future__ import annotations

from tests.graph_builder import NONE, GraphBuilder, imported
from tests.tflite_writer import write_tflite
from tinyforge.codegen.generate import lower_graph
from tinyforge.ir.schedule import LayerStage, Schedule
from tinyforge.memory.overlaps import distances


def test_concatenated_channels_are_placed_one_operand_after_the_other() -> None:
    """The first operand's call writes to the end of the output; the second operand must not lie there."""
    b = GraphBuilder()
    x = b.input((1, 6, 5, 4))
    parts = [b.op(kind, [x], (1, 6, 5, 4), (0.2, 0)) for kind in ("relu", "relu6")]
    y = b.op("concatenation", parts, (1, 6, 5, 8), (0.2, 0), axis=3, activation=NONE)
    graph = imported(write_tflite(b.graph([x], [y])))
    calls = lower_graph(graph)
    assert len(calls[-1].parts) == 2
    found = distances(graph, Schedule(tuple(LayerStage(i) for i in range(len(graph.nodes)))), calls)
    assert not [pair for pair in found if pair[0] == graph.outputs[0] and calls[-1].merge_rows]
