"""The schedule everything else is measured against: every operator on whole tensors, one after another."""

from __future__ import annotations

from tinyforge.ir.graph import Graph
from tinyforge.ir.schedule import LayerStage, Schedule


def layerwise(graph: Graph) -> Schedule:
    """One ``LayerStage`` a node, in graph order."""
    return Schedule(tuple(LayerStage(i) for i in range(len(graph.nodes))))
