"""How many bytes an inference reads from and writes to every buffer: what decides which of them lie in fast memory.

An estimate from windows and shapes: a kernel fetches the whole window of every pixel it computes. Only the order of
buffers by it matters.
"""

from __future__ import annotations

from collections.abc import Sequence

from tinyforge.ir.graph import Graph, Tensor
from tinyforge.ir.program import KernelCall
from tinyforge.ir.schedule import FusedStage, Schedule
from tinyforge.memory.plan import Demand
from tinyforge.ops.base import Op
from tinyforge.ops.stage_windows import walk_stage


def block_traffic(graph: Graph, schedule: Schedule, calls: Sequence[KernelCall], demand: Demand) -> tuple[int, ...]:
    """Bytes read and written in one inference, for each block of ``demand``."""
    pixels = _executed_pixels(graph, schedule)
    tensors: dict[str, int] = {}
    scratch = dict.fromkeys(demand.scratch, 0)
    for i, (node, call) in enumerate(zip(graph.nodes, calls, strict=True)):
        if i in demand.work.aliases:
            continue
        for name in node.outputs:
            tensors[name] = tensors.get(name, 0) + pixels[i] * _pixel_bytes(graph.tensors[name])
        for k, tensor in enumerate(graph.ins(node)):
            if not tensor.is_constant:
                once = call.form != "rows"
                read = tensor.type.nbytes if once else pixels[i] * _window(call, k) * _pixel_bytes(tensor)
                tensors[tensor.name] = tensors.get(tensor.name, 0) + read
        if i in scratch:
            scratch[i] = max(call.scratch_bytes, _macs(graph, i, pixels[i]))
    found = [sum(tensors.get(name, 0) for name in demand.members(b)) for b in range(demand.tensors)]
    rest = len(demand.blocks) - demand.tensors - len(scratch)
    return (*found, *scratch.values(), *([0] * rest))


def _executed_pixels(graph: Graph, schedule: Schedule) -> list[int]:
    """Pixels that each node computes, recomputed ones included."""
    pixels = []
    for node in graph.nodes:
        height, width, _ = graph.tensors[node.outputs[0]].type.hwc
        pixels.append(height * width)
    for stage in schedule.stages:
        if isinstance(stage, FusedStage):
            walk = walk_stage(graph, stage)
            for member in walk.nodes:
                if not member.reduces:
                    pixels[member.index] = walk.executed_pixels(member)
    return pixels


def _pixel_bytes(tensor: Tensor) -> int:
    return tensor.type.hwc[2] * tensor.type.dtype.itemsize


def _window(call: KernelCall, index: int) -> int:
    """Pixels of input ``index`` that one output pixel needs."""
    return sum(spec.count * (spec.cols.hi - spec.cols.lo + 1) for spec in call.inputs if spec.index == index)


def _macs(graph: Graph, index: int, pixels: int) -> int:
    """Executed MACs. A kernel with scratch keeps widened input there and reads it again for every two output channels:
    about one byte a MAC."""
    node = graph.nodes[index]
    height, width, _ = graph.tensors[node.outputs[0]].type.hwc
    assert isinstance(node.op, Op)
    return node.op.macs(graph.ins(node), graph.outs(node)) * pixels // max(height * width, 1)
