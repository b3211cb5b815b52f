"""Placements of tensors -> how C addresses them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinyforge.codegen.functions import View
from tinyforge.codegen.names import C_TYPES
from tinyforge.ir.graph import Graph, Tensor
from tinyforge.schedule.types import FusedStage

if TYPE_CHECKING:
    from tinyforge.memory.plan import MemoryPlan


def whole_view(tensor: Tensor, plan: MemoryPlan) -> View:
    """A tensor that lies in the arena as a whole."""
    height, width, channels = tensor.type.hwc
    pixel = channels * tensor.type.dtype.itemsize
    ctype = C_TYPES[tensor.type.dtype.value]
    return View(plan.placements[tensor.name].offset, ctype, width * pixel, pixel, height, width)


def stage_views(graph: Graph, stage: FusedStage, plan: MemoryPlan) -> dict[str, View]:
    raise NotImplementedError
