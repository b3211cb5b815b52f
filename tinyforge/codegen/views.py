"""How C reaches a tensor: placements and layouts turned into address expressions. All address arithmetic is here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tinyforge.codegen.arenas import Address, address
from tinyforge.codegen.names import C_TYPES
from tinyforge.ir.graph import Graph, Tensor
from tinyforge.ir.memory_plan import Layout, LayoutKind
from tinyforge.ir.schedule import FusedStage

if TYPE_CHECKING:
    from tinyforge.ir.memory_plan import MemoryPlan


@dataclass(frozen=True, slots=True)
class View:
    """A tensor as one operator function sees it. ``window``: the ``tf_window`` (a C expression) whose row0/col0 is the
    origin of a buffer that holds just a piece; empty for buffers addressed in whole-tensor coordinates.

    A pixel takes ``pixel_bytes`` in the buffer. In a sliced stage ``share_bytes`` of them are those of a slice: all,
    or, in a whole tensor, those from ``slice * share_bytes`` on; ``tensor_bytes`` has the pixel in the whole tensor."""

    base: Address
    ctype: str
    height: int
    width: int
    pixel_bytes: int
    row_bytes: int
    layout: Layout | None = None
    window: str = ""
    share_bytes: int = 0
    tensor_bytes: int = 0

    @property
    def kind(self) -> LayoutKind:
        return self.layout.kind if self.layout else LayoutKind.WHOLE

    @property
    def x_origin(self) -> str:
        """C expression of the column that row pointers point to."""
        return f"{self.window}.col0" if self.window else "0"

    def merged(self) -> View:
        """The same whole tensor seen as one row of H*W pixels."""
        pixels = self.height * self.width
        return View(self.base, self.ctype, 1, pixels, self.pixel_bytes, self.row_bytes * self.height)

    def lanes(self) -> str:
        """C initialiser of the lanes' {start, pixels}."""
        assert self.layout is not None
        starts = (self.layout.lane_start(j) for j in range(self.layout.rows))
        pairs = zip(starts, self.layout.lane_pixels, strict=True)
        return "(const tf_lane[]){" + ", ".join(f"{{{start}, {pixels}}}" for start, pixels in pairs) + "}"

    def fill_rows(self, rows: str, count: int, first: str, dilation: int) -> str:
        """Statement that sets ``count`` row pointers from row ``first`` on, NULL where outside."""
        head = f"{rows}, {count}, {first}, {dilation}, {self.height}, {self.base.of('const int8_t')}"
        if self.kind is LayoutKind.LANES:
            assert self.layout is not None
            ring = f"{self.lanes()}, {self.layout.rows}, {self.layout.width}, {self.pixel_bytes}"
            return f"tf_rows_in_lanes({head}, {ring}, {self.x_origin});"
        slots = self.layout.rows if self.layout and self.kind is LayoutKind.ROW_RING else 0
        origin = f"{self.window}.row0" if self.window else "0"
        return f"tf_rows({head}, {self.row_bytes}, {origin}, {slots});"

    def pixel(self, y: str, x: str) -> str:
        """Address of pixel (y, x) for writing, as bytes whatever the element type is."""
        start = self.base.of("int8_t")
        if self.kind is LayoutKind.LANES:
            assert self.layout is not None
            ring = f"{self.lanes()}, {self.layout.rows}, {self.layout.width}"
            return f"{start} + tf_lane_pixel({ring}, {y}, {x}) * {self.pixel_bytes}"
        row = f"({y} - {self.window}.row0)" if self.window else y
        if self.layout and self.kind is LayoutKind.ROW_RING:
            row = f"({y} % {self.layout.rows})"
        column = "" if x == "0" else f" + {self._column(x)} * {self.pixel_bytes}"
        share = f" + slice * {self.share_bytes}" if self.share_bytes < self.pixel_bytes and self.share_bytes else ""
        return f"{start} + {row} * {self.row_bytes}{column}{share}"

    def _column(self, x: str) -> str:
        return f"({x} - {self.window}.col0)" if self.window else x

    def after_write(self, y: str, x0: str, x1: str) -> str:
        """Statement that keeps a raster ring's mirrored pixels equal after [x0, x1) of row y was written, or empty."""
        if self.kind is not LayoutKind.LANES:
            return ""
        assert self.layout is not None
        ring = f"{self.lanes()}, {self.layout.rows}, {self.layout.width}, {self.layout.guard}, {self.pixel_bytes}"
        return f"tf_lane_mirror({self.base.of('int8_t')}, {ring}, {y}, {x0}, {x1});"


def whole_view(tensor: Tensor, plan: MemoryPlan, step: int) -> View:
    """A tensor that lies in the arena as a whole while node ``step`` runs."""
    height, width, channels = tensor.type.hwc
    pixel = channels * tensor.type.dtype.itemsize
    ctype = C_TYPES[tensor.type.dtype.value]
    base = address(plan, plan.placed(tensor.name, step).offset)
    return View(base, ctype, height, width, pixel, width * pixel)


def stage_views(graph: Graph, stage: FusedStage, plan: MemoryPlan) -> dict[str, View]:
    """Views of everything the stage's operators read and write; the window of node first + i is ``w[i]``."""
    views: dict[str, View] = {}
    for i, node in enumerate(graph.nodes[stage.first : stage.last + 1]):
        for name in (*node.inputs, *node.outputs):
            tensor = graph.tensors[name]
            if not tensor.is_constant and name not in views:
                view = _stage_view(tensor, plan, f"w[{i}]", stage.first)
                made = name in node.outputs and stage.slices > 1
                views[name] = _sliced(view, tensor, stage.slices) if made else view
    return views


def _sliced(view: View, tensor: Tensor, slices: int) -> View:
    size = tensor.type.hwc[2] * tensor.type.dtype.itemsize
    return replace(view, share_bytes=size // slices, tensor_bytes=size)


def _stage_view(tensor: Tensor, plan: MemoryPlan, window: str, step: int) -> View:
    whole = whole_view(tensor, plan, step)
    layout = plan.placements[tensor.name].layout
    if layout.kind is LayoutKind.WHOLE:
        return whole
    moving = layout.kind in (LayoutKind.WINDOW, LayoutKind.LANES)
    return replace(
        whole,
        pixel_bytes=layout.pixel_bytes,
        row_bytes=layout.cols * layout.pixel_bytes,
        layout=layout,
        window=window if moving else "",
    )
