"""Placements of tensors -> how C addresses them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tinyforge.codegen.functions import View
from tinyforge.codegen.names import C_TYPES
from tinyforge.ir.graph import Graph, Tensor
from tinyforge.ir.memory_plan import LayoutKind
from tinyforge.ir.schedule import FusedStage

if TYPE_CHECKING:
    from tinyforge.ir.memory_plan import MemoryPlan


def whole_view(tensor: Tensor, plan: MemoryPlan) -> View:
    """A tensor that lies in the arena as a whole."""
    height, width, channels = tensor.type.hwc
    pixel = channels * tensor.type.dtype.itemsize
    ctype = C_TYPES[tensor.type.dtype.value]
    return View(plan.placements[tensor.name].offset, ctype, width * pixel, pixel, height, width)


def stage_views(graph: Graph, stage: FusedStage, plan: MemoryPlan) -> dict[str, View]:
    """Views of everything the stage's operators read and write. Inside the stage the window of node first + i is
    ``w[i]``, which is also the origin of a buffer that holds just that window."""
    views: dict[str, View] = {}
    for i, node in enumerate(graph.nodes[stage.first : stage.last + 1]):
        for name in (*node.inputs, *node.outputs):
            tensor = graph.tensors[name]
            if not tensor.is_constant and name not in views:
                views[name] = _stage_view(tensor, plan, i)
    return views


def _stage_view(tensor: Tensor, plan: MemoryPlan, window: int) -> View:
    view = whole_view(tensor, plan)
    layout = plan.placements[tensor.name].layout
    if layout.kind is LayoutKind.ROW_RING:
        return replace(view, slots=layout.rows)
    if layout.kind is LayoutKind.WINDOW:
        row_bytes = layout.cols * view.pixel_bytes
        return replace(view, row_bytes=row_bytes, y_origin=f"w[{window}].row0", x_origin=f"w[{window}].col0")
    return view
