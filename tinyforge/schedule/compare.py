"""The families of schedules that are compared under one definition of memory (docs/memory.md), and what a plan's peak
is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tinyforge.ir.graph import Graph
from tinyforge.ir.memory_plan import Buffer, MemoryPlan
from tinyforge.ir.program import KernelCall
from tinyforge.memory.plan import Demand, make_demand
from tinyforge.memory.planner import pack
from tinyforge.ops.depthwise_conv2d import DepthwiseConv2D
from tinyforge.schedule.layerwise import layerwise
from tinyforge.schedule.options import Options

KINDS = ("input", "output", "activation", "line buffer", "patch", "accumulator", "scratch")
TFLM_ALIGN = 16
_ANY_SPEED = 1000.0


@dataclass(frozen=True, slots=True)
class Family:
    """``options``: what the optimiser is asked for, None where ``style`` plans whole layers as another tool does."""

    name: str
    options: Options | None
    style: str = ""


FAMILIES = (
    Family("TFLM-style layers", None, "tflm"),
    Family("TinyEngine-style layers", None, "tinyengine"),
    Family("layer by layer", Options(schedule="layerwise")),
    Family("MCUNetV2-style patches, 1.25x", Options("sram", "patch", 1.25)),
    Family("StreamNet-style, 1.25x", Options("sram", "stream", 1.25)),
    Family("msf-CNN-style, 1.25x", Options("sram", "msf", 1.25)),
    Family("whole input, 1.25x", Options("sram", "auto", 1.25)),
    Family("StreamNet-style, rows, 1.25x", Options("sram", "stream", 1.25, "rows")),
    Family("msf-CNN-style, rows, 1.25x", Options("sram", "msf", 1.25, "rows")),
    Family("rows, 1.00x", Options("sram", "auto", 1.0, "rows")),
    Family("rows, 1.05x", Options("sram", "auto", 1.05, "rows")),
    Family("rows, 1.25x, any speed", Options("sram", "auto", 1.25, "rows", max_cycle_factor=_ANY_SPEED)),
)
"""Those of other tools are restrictions of ours, with our kernels and our planner (``schedule.families``)."""


def parts_at_peak(timeline: Sequence[Buffer], step: int) -> tuple[int, ...]:
    """Bytes alive in the peak step by kind of buffer, in the order of KINDS; what buffers share counts for each."""
    alive = [b for b in timeline if b.first_use <= step <= b.last_use]
    return tuple(sum(b.nbytes for b in alive if b.kind == kind) for kind in KINDS)


def plan_in_style(graph: Graph, calls: Sequence[KernelCall], style: str) -> MemoryPlan:
    """Whole layers placed by the rules of another tool, with our kernels' scratch.

    tflm: every tensor for itself, rounded up to 16 bytes, placed greedily, the largest first. tinyengine: add and
    multiply in place, and depthwise convolutions of stride 1 too, by way of one channel's plane.
    """
    if style == "tflm":
        demand = make_demand(graph, layerwise(graph), calls, share=False)
        blocks = tuple(replace(b, size=-(-b.size // TFLM_ALIGN) * TFLM_ALIGN) for b in demand.blocks)
        return _packed(replace(demand, blocks=blocks, overlaps={}))
    in_place = [i for i, node in enumerate(graph.nodes) if _by_planes(graph, i)]
    planes = {i: _plane_bytes(graph, i) for i in in_place}
    calls = [replace(call, scratch_bytes=planes.get(i, call.scratch_bytes)) for i, call in enumerate(calls)]
    demand = make_demand(graph, layerwise(graph), calls, share=True)
    shared = {
        (low, high): 0
        for low, high in demand.overlaps
        for i in in_place
        if graph.nodes[i].outputs[0] in demand.members(low) and graph.nodes[i].inputs[0] in demand.members(high)
    }
    return _packed(replace(demand, overlaps=shared))


def _by_planes(graph: Graph, node: int) -> bool:
    """A depthwise convolution whose output is as large as its input."""
    op = graph.nodes[node].op
    ins, outs = graph.ins(graph.nodes[node]), graph.outs(graph.nodes[node])
    return isinstance(op, DepthwiseConv2D) and ins[0].type.hwc == outs[0].type.hwc


def _plane_bytes(graph: Graph, node: int) -> int:
    """One channel of the node's output."""
    height, width, _ = graph.outs(graph.nodes[node])[0].type.hwc
    return height * width


def _packed(demand: Demand) -> MemoryPlan:
    packing = pack(demand.blocks, demand.overlaps, effort=0)
    return demand.plan(packing, packing.arena_bytes)
