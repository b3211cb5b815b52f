"""How the tensors inside a fused stage are laid out, from what its walk says they must hold."""

from __future__ import annotations

from tinyforge.ir.graph import Graph
from tinyforge.ir.memory_plan import Layout, LayoutKind
from tinyforge.ir.schedule import CACHED, Halo, TensorMode
from tinyforge.ir.types import TensorType
from tinyforge.ops.stage_windows import AxisTensor, StageWalk, whole_tensors


def whole_layout(tensor: TensorType) -> Layout:
    """Row-major NHWC; tensors that are not rank 4 with batch 1 are one row of one pixel."""
    height, width, channels = tensor.hwc
    return Layout(LayoutKind.WHOLE, channels * tensor.dtype.itemsize, height, width, width)


def stage_layouts(graph: Graph, walk: StageWalk) -> dict[str, tuple[Layout, bool]]:
    """Layout of each tensor made inside the stage (its output excepted), and whether it is carried from piece to
    piece, so that its bytes must survive the whole stage; others live only from their node to their last reader."""
    found = {}
    outside = whole_tensors(graph, walk.stage)
    for node in walk.nodes[:-1]:
        for name in node.outputs:
            rows, cols = walk.rows.tensors.get(name), walk.cols.tensors.get(name)
            if rows is None or cols is None:
                raise ValueError(f"{name} is made inside a fused stage but not read there")
            mode = walk.stage.mode(node.outputs[0])
            if name in outside:
                if mode != CACHED or not _complete(graph.tensors[name].type, rows, cols):
                    raise ValueError(f"{name} is read outside its stage but not computed whole there")
                found[name] = whole_layout(graph.tensors[name].type), True
                continue
            found[name] = _layout(name, graph.tensors[name].type, mode, rows, cols, walk)
    return found


def _complete(tensor: TensorType, rows: AxisTensor, cols: AxisTensor) -> bool:
    """Whether the stage needs, and so computes, every row and column (a strided reader may skip some)."""
    height, width, _ = tensor.hwc
    return rows.exec_total == height and cols.exec_total == width


def fed_layout(tensor: TensorType, rows: AxisTensor) -> Layout:
    """The ring of whole rows that holds a row-fed input, from its needs in stage 0."""
    _, width, channels = tensor.hwc
    return Layout(LayoutKind.ROW_RING, channels * tensor.dtype.itemsize, max(rows.held, 1), width, width)


def _layout(
    name: str, tensor: TensorType, mode: TensorMode, rows: AxisTensor, cols: AxisTensor, walk: StageWalk
) -> tuple[Layout, bool]:
    _, width, channels = tensor.hwc
    pixel = channels // walk.stage.slices * tensor.dtype.itemsize
    rows_carried = mode.rows is Halo.CACHE and rows.carried
    cols_carried = mode.cols is Halo.CACHE and cols.carried
    if walk.cols.count == 1:
        if rows_carried:
            return Layout(LayoutKind.ROW_RING, pixel, rows.held, width, width), True
        return Layout(LayoutKind.WINDOW, pixel, rows.need_size, cols.need_size, width), False
    if rows_carried:
        if mode.cols is not Halo.CACHE:
            raise ValueError(f"{name}: rows cannot be cached while columns are recomputed")
        lanes = rows.exec_size
        held = max(cols.held, cols.need_size)
        per_lane = tuple(_lane_pixels(rows, lane, lanes, width, held) for lane in range(lanes))
        return Layout(LayoutKind.LANES, pixel, lanes, held, width, lane_pixels=per_lane, guard=held - 1), True
    held = cols.held if cols_carried else cols.need_size
    return Layout(LayoutKind.WINDOW, pixel, rows.need_size, held, width, shift_cols=cols_carried), cols_carried


def _lane_pixels(rows: AxisTensor, lane: int, lanes: int, width: int, held: int) -> int:
    """Pixels from the oldest still needed to the newest computed in one lane, the most over all bands. In a band that
    computes a row of the lane the sweep frees the oldest row as it fills the newest: ``held`` columns overlap."""
    most = held
    for keep, done, lo, hi in zip(rows.keep_lo, rows.done, rows.exec_lo, rows.exec_hi, strict=True):
        oldest = int(keep) + (lane - int(keep)) % lanes
        newest = int(done) - 1 - (int(done) - 1 - lane) % lanes
        if newest < oldest or newest < 0:
            continue
        whole_rows = (newest - oldest) // lanes
        fresh = int(lo) <= newest < int(hi)
        most = max(most, whole_rows * width + (held if fresh else width))
    return most
