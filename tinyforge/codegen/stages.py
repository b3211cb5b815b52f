"""Fused stages: the driver's window recursion as lines of C, the twin of ``ops.stage_windows``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tinyforge.codegen.arenas import address
from tinyforge.ir.graph import Graph, Node
from tinyforge.ir.schedule import FusedStage, Halo
from tinyforge.ir.window import IDENTITY, AxisMap
from tinyforge.ops.base import Op
from tinyforge.ops.stage_windows import StageWalk, walk_stage

if TYPE_CHECKING:
    from tinyforge.ir.memory_plan import MemoryPlan


@dataclass(frozen=True, slots=True)
class StageFunction:
    """The driver of a fused stage: bands of ``patch_h`` rows, in each pieces of ``patch_w`` columns.

    ``rows``: spans of rows every operator computes in a band, last operator first; ``cols`` likewise in a piece.
    ``calls``: statements that run the operators. ``start`` and ``band``: declarations of what is kept from band to
    band, and from piece to piece. ``begin`` and ``finish``: C functions of a reduction that ends the stage. ``feed``:
    set when the input comes row by row. ``slices``: how often all that is done, each time for a share of the channels.
    """

    symbol: str
    title: str
    windows: int
    first_y: int
    first_x: int
    height: int
    width: int
    patch_h: int
    patch_w: int
    start: tuple[str, ...]
    rows: tuple[str, ...]
    band: tuple[str, ...]
    cols: tuple[str, ...]
    calls: tuple[str, ...]
    begin: tuple[str, ...] = ()
    finish: tuple[str, ...] = ()
    feed: Feed | None = None
    slices: int = 1


@dataclass(frozen=True, slots=True)
class Feed:
    """A stage that runs whenever enough rows of the model's input have come. ``state``: pointer to int32 values:
    rows fed, next band, then the rows done per line buffer (``kept``: the counters' names, in order).

    ``need``: lines that set tf_span ``input`` to the rows a band reads. The input lies in a ring of ``slots`` rows
    from ``base`` (a pointer) on.
    """

    state: str
    kept: tuple[str, ...]
    need: str
    base: str
    slots: int
    row_bytes: int
    height: int


def stage_function(
    graph: Graph, stage: FusedStage, plan: MemoryPlan, symbol: str, calls: tuple[str, ...], fed: bool = False
) -> StageFunction:
    """The driver of ``stage``; ``calls`` are the C functions of its operators in order. ``fed``: the model's input
    comes row by row."""
    node = graph.nodes[stage.last]
    reduces = _op(node).accumulates(graph.ins(node), graph.outs(node))
    domain = graph.tensors[node.inputs[0] if reduces else node.outputs[0]].type
    height, width, _ = domain.hwc
    walk = walk_stage(graph, stage)
    spans = _Spans(graph, walk, plan)
    return StageFunction(
        symbol=symbol,
        title=_title(graph, stage, height, width),
        windows=stage.last - stage.first + 1,
        first_y=-walk.rows.warm * stage.patch_h,
        first_x=-walk.cols.warm * stage.patch_w,
        height=height,
        width=width,
        patch_h=stage.patch_h,
        patch_w=stage.patch_w,
        start=spans.counters("row"),
        rows=spans.lines("row", "py", stage.patch_h, height),
        band=spans.counters("col"),
        cols=spans.lines("col", "px", stage.patch_w, width),
        calls=tuple(
            _guarded(f"{symbol}(w{', slice' if stage.slices > 1 else ''});", i, stage.patch_w < width)
            for i, symbol in enumerate(calls)
        ),
        begin=(f"{calls[-1]}_begin",) if reduces else (),
        finish=(f"{calls[-1]}_finish",) if reduces else (),
        feed=_feed(graph, plan, spans) if fed else None,
        slices=stage.slices,
    )


def _guarded(call: str, window: int, pieces: bool) -> str:
    """The call of an operator; some pieces need nothing of it."""
    return f"if (tf_any(w[{window}].cols)) {{ {call} }}" if pieces else call


def _feed(graph: Graph, plan: MemoryPlan, spans: _Spans) -> Feed:
    name = graph.inputs[0]
    place, height = plan.placements[name], graph.tensors[name].type.hwc[0]
    return Feed(
        state=address(plan, plan.feed_state).of("int32_t"),
        kept=spans.counter_names("row"),
        need=spans.need(name, "row", height),
        base=address(plan, place.offset).of("int8_t"),
        slots=place.layout.rows,
        row_bytes=place.layout.cols * place.layout.pixel_bytes,
        height=height,
    )


def _op(node: Node) -> Op:
    assert isinstance(node.op, Op)
    return node.op


def _title(graph: Graph, stage: FusedStage, height: int, width: int) -> str:
    names = f"{graph.nodes[stage.first].name} .. {graph.nodes[stage.last].name}".replace("*/", "* /")
    bands, pieces = -(-height // stage.patch_h), -(-width // stage.patch_w)
    slices = f", {stage.slices} times for as many shares of the channels" if stage.slices > 1 else ""
    return f"{names}: {bands} x {pieces} pieces of up to {stage.patch_h} x {stage.patch_w} output pixels{slices}"


class _Spans:
    """Lines of C for both axes of one stage; window i belongs to node ``first + i``.

    For each node: what its consumers need (``rows[i]`` before caching), what of it is new, what is inside the tensor.
    """

    def __init__(self, graph: Graph, walk: StageWalk, plan: MemoryPlan) -> None:
        self.graph, self.stage, self.plan = graph, walk.stage, plan
        self.nodes = graph.nodes[walk.stage.first : walk.stage.last + 1]
        self.last = len(self.nodes) - 1

    def cached(self, i: int, axis: str) -> bool:
        """Whether node i keeps what it computed in earlier bands (row) or pieces (col)."""
        if i == self.last:
            return False
        mode = self.stage.mode(self.nodes[i].outputs[0])
        return (mode.rows if axis == "row" else mode.cols) is Halo.CACHE

    def counters(self, axis: str) -> tuple[str, ...]:
        """Declarations of the done counters of one axis, and of where sliding buffers begin."""
        done = [f"int32_t {name} = -TF_FAR;" for name in self.counter_names(axis)]
        sliding = [(i, k) for i in range(self.last + 1) for k in range(len(self.slides(i))) if axis == "col"]
        return (*done, *(f"int32_t origin{i}_{k} = 0;" for i, k in sliding))

    def counter_names(self, axis: str) -> tuple[str, ...]:
        """One variable a cached node: the end of what it has computed."""
        return tuple(f"{axis}_done{i}" for i in range(self.last + 1) if self.cached(i, axis))

    def slides(self, i: int) -> tuple[str, ...]:
        """Outputs of node i held in a buffer whose kept columns move to its left edge before each piece."""
        outputs = self.nodes[i].outputs if i != self.last else ()
        return tuple(t for t in outputs if self.plan.placements[t].layout.shift_cols)

    def lines(self, axis: str, start: str, step: int, extent: int) -> tuple[str, ...]:
        """Spans along one axis, from the stage's output back to its first operator."""
        last = self.last
        result = [
            f"{axis}s[{last}] = (tf_span){{{start}, tf_min({start} + {step}, {extent})}};",
            f"w[{last}].{axis}s = tf_inside({axis}s[{last}], 1);",
            f"w[{last}].{axis}0 = tf_origin({axis}s[{last}]);",
        ]
        for i in reversed(range(last)):
            result += self._node(i, axis)
        return tuple(result)

    def _node(self, i: int, axis: str) -> list[str]:
        need = self._join(self._uses(self.nodes[i].outputs, i + 1, axis), axis, self._extent(i, axis))
        lines = [f"{axis}s[{i}] = {need};", f"w[{i}].{axis}0 = tf_origin({axis}s[{i}]);"]
        wanted = "1"
        if self.cached(i, axis):
            if axis == "col":
                lines += [self._slide(i, k, t) for k, t in enumerate(self.slides(i))]
            lines.append(f"{axis}s[{i}] = tf_new({axis}s[{i}], &{axis}_done{i});")
        else:
            readers = sorted({c for c, _ in self._uses(self.nodes[i].outputs, i + 1, axis)})
            wanted = " || ".join(f"tf_any(w[{c}].{axis}s)" for c in readers) or "0"
        lines.append(f"w[{i}].{axis}s = tf_inside({axis}s[{i}], {wanted});")
        return lines

    def need(self, tensor: str, axis: str, extent: int) -> str:
        """C expression of the span of a tensor from outside that the stage reads."""
        return self._join(self._uses((tensor,), 0, axis), axis, extent)

    @staticmethod
    def _join(uses: list[tuple[int, AxisMap]], axis: str, extent: int) -> str:
        needs = [f"tf_needed({axis}s[{c}], {m.num}, {m.den}, {m.lo}, {m.hi}, {extent})" for c, m in uses]
        joined = needs[0] if needs else "tf_none()"
        for need in needs[1:]:
            joined = f"tf_join({joined}, {need})"
        return joined

    def _slide(self, i: int, k: int, tensor: str) -> str:
        """Moves the columns that the piece before computed and this one needs."""
        place = self.plan.placements[tensor]
        base = address(self.plan, place.offset).of("int8_t")
        size = f"{place.layout.rows}, {place.layout.cols * place.layout.pixel_bytes}, {place.layout.pixel_bytes}"
        return f"tf_slide({base}, {size}, cols[{i}], &origin{i}_{k}, col_done{i});"

    def _extent(self, i: int, axis: str) -> int:
        height, width, _ = self.graph.tensors[self.nodes[i].outputs[0]].type.hwc
        return height if axis == "row" else width

    def _uses(self, tensors: tuple[str, ...], first: int, axis: str) -> list[tuple[int, AxisMap]]:
        """(window, map) of every use of the tensors by node ``first`` or later of the stage, without repeats."""
        found: list[tuple[int, AxisMap]] = []
        for c in range(first, self.last + 1):
            for index, name in enumerate(self.nodes[c].inputs):
                if name in tensors:
                    found.append((c, self._axis_map(self.nodes[c], index, axis)))
        return list(dict.fromkeys(found))

    def _axis_map(self, node: Node, index: int, axis: str) -> AxisMap:
        op, ins, outs = _op(node), self.graph.ins(node), self.graph.outs(node)
        if op.accumulates(ins, outs):
            return IDENTITY
        axes = op.axes(ins, outs, index)
        assert axes is not None, f"{node.name} is a barrier and cannot be in a fused stage"
        return axes[0] if axis == "row" else axes[1]
