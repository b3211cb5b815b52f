"""Runs a schedule piece by piece inside one arena of exactly the planned bytes: the proof that a schedule and its
memory plan give what whole layers give. Slow and literal on purpose; it follows ``ops.stage_windows`` and the layouts
of ``ir.memory_plan`` byte by byte, as the generated C does."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from tinyforge.ir.graph import Graph, Node, Tensor
from tinyforge.ir.memory_plan import LayoutKind, MemoryPlan, Placement
from tinyforge.ir.schedule import FusedStage, Halo, Schedule
from tinyforge.ir.types import Array
from tinyforge.ir.window import Interval, Window
from tinyforge.ops.base import Op, Piece, input_window
from tinyforge.ops.channel_slices import Share, share_tensors
from tinyforge.ops.stage_windows import StageNode, StageWalk, walk_stage

Bytes = npt.NDArray[np.uint8]


def run_schedule(
    graph: Graph, schedule: Schedule, plan: MemoryPlan, inputs: Mapping[str, Array], *, seed: int = 0
) -> dict[str, Array]:
    """The graph's outputs by name for one set of inputs by name. The arena starts as random bytes (``seed``)."""
    arena = np.random.default_rng(seed).integers(0, 256, plan.end, np.uint8)
    machine = _Machine(graph, plan, arena)
    for name in graph.inputs:
        if not schedule.input_rows:
            machine.store_whole(name, inputs[name])
    for number, stage in enumerate(schedule.stages):
        machine.enter(stage.first if isinstance(stage, FusedStage) else stage.node)
        if isinstance(stage, FusedStage):
            fed = inputs[graph.inputs[0]] if schedule.input_rows and number == 0 else None
            machine.run_stage(walk_stage(graph, stage), fed)
        else:
            machine.run_layer(stage.node)
    return {name: machine.load_whole(name) for name in graph.outputs}


_MARK = 0x5A


class _Sums:
    """Stands for the accumulators of a reduction: keeps what it was given, and marks the accumulators' bytes."""

    def __init__(self, machine: _Machine, walk: StageWalk) -> None:
        self.machine, self.node = machine, machine.graph.nodes[walk.nodes[-1].index]
        source = machine.graph.tensors[walk.nodes[-1].inputs[0][0]]
        self.data = np.zeros(source.shape, source.type.dtype.numpy)
        self.times = np.zeros(source.shape[1:3], np.int64)
        at, size = machine.plan.scratch.get(walk.stage.last, 0), machine.plan.scratch_bytes.get(walk.stage.last, 0)
        self.bytes = machine.arena[at : at + size]
        self.bytes[:] = _MARK

    def add(self, piece: Piece) -> None:
        rows, cols = piece.window.rows, piece.window.cols
        self.data[:, rows.lo : rows.hi, cols.lo : cols.hi] = piece.data
        self.times[rows.lo : rows.hi, cols.lo : cols.hi] += 1

    def finish(self) -> None:
        graph = self.machine.graph
        assert (self.times == 1).all(), "a pixel was added twice or not at all"
        assert (self.bytes == _MARK).all(), "the accumulators were overwritten"
        ins, outs = graph.ins(self.node), graph.outs(self.node)
        assert isinstance(self.node.op, Op)
        pieces = [Piece.whole(t.array() if t.is_constant else self.data) for t in ins]
        height, width, _ = outs[0].type.hwc
        (result,) = self.node.op.compute(pieces, ins, outs, Window.full(height, width))
        self.machine.store_whole(outs[0].name, np.asarray(result).reshape(outs[0].shape))


class _Machine:
    """The arena and how tensors are read from it and written to it."""

    def __init__(self, graph: Graph, plan: MemoryPlan, arena: Bytes) -> None:
        self.graph, self.plan, self.arena = graph, plan, arena
        self.origins: dict[str, int] = {}  # the column at the left edge of each shifted window
        self.step = 0
        self.share = Share(0, 1)  # of the channels that the stage makes just now

    def enter(self, step: int) -> None:
        """Buffers move to where the stage that begins with node ``step`` wants them."""
        self.step = step
        for move in self.plan.moves:
            if move.step == step:
                moved = self.arena[move.source : move.source + move.nbytes].copy()
                self.arena[move.target : move.target + move.nbytes] = moved

    def _placed(self, name: str) -> Placement:
        return self.plan.placed(name, self.step)

    def _bytes(self, placement: Placement) -> Bytes:
        end = placement.offset + placement.nbytes
        assert 0 <= placement.offset <= end <= self.arena.size, "placement outside the arena"
        return self.arena[placement.offset : end]

    def store_whole(self, name: str, data: Array) -> None:
        tensor = self.graph.tensors[name]
        assert data.shape == tensor.shape, f"{name}: {data.shape} is not {tensor.shape}"
        raw = np.ascontiguousarray(data.astype(tensor.type.dtype.numpy)).view(np.uint8).reshape(-1)
        self._bytes(self._placed(name))[: raw.size] = raw

    def load_whole(self, name: str) -> Array:
        tensor = self.graph.tensors[name]
        raw = self._bytes(self._placed(name))[: tensor.type.nbytes].copy()
        return np.asarray(raw.view(tensor.type.dtype.numpy).reshape(tensor.shape))

    def run_layer(self, index: int) -> None:
        node = self.graph.nodes[index]
        if index in self.plan.aliases:
            source, target = self._placed(node.inputs[0]), self._placed(node.outputs[0])
            assert source.offset == target.offset, f"{node.name} is no alias"
            return
        ins, outs = self.graph.ins(node), self.graph.outs(node)
        assert isinstance(node.op, Op)
        height, width, _ = outs[0].type.hwc
        if self._sliding(node):
            self._run_rows(index, node, height, width)
            return
        pieces = [Piece.whole(t.array() if t.is_constant else self.load_whole(t.name)) for t in ins]
        results = node.op.compute(pieces, ins, outs, Window.full(height, width))
        self._trash_scratch(index)
        for tensor, data in zip(outs, results, strict=True):
            self.store_whole(tensor.name, np.asarray(data).reshape(tensor.shape))

    def _sliding(self, node: Node) -> bool:
        """Whether the output lies partly over an input, so that the order of rows counts."""
        placed = [self._placed(t) for t in (node.outputs[0], *node.inputs) if t in self.plan.placements]
        out = placed[0]
        return any(
            p.offset < out.offset + out.nbytes and out.offset < p.offset + p.nbytes and p.offset != out.offset
            for p in placed[1:]
        )

    def _run_rows(self, index: int, node: Node, height: int, width: int) -> None:
        """The layer one output row after another."""
        ins, outs = self.graph.ins(node), self.graph.outs(node)
        assert isinstance(node.op, Op)
        for y in range(height):
            window = Window(Interval(y, y + 1), Interval(0, width))
            pieces = []
            for i, tensor in enumerate(ins):
                if tensor.is_constant or len(tensor.shape) != 4:
                    pieces.append(Piece.whole(tensor.array() if tensor.is_constant else self.load_whole(tensor.name)))
                    continue
                wanted = input_window(node.op, ins, outs, i, window)
                parts = [
                    self._segment(self._placed(tensor.name), r, wanted.cols, (0, 0))
                    for r in range(wanted.rows.lo, wanted.rows.hi)
                ]
                shape = (1, wanted.rows.size, wanted.cols.size, tensor.shape[3])
                dtype = tensor.type.dtype.numpy
                data = np.concatenate(parts).view(dtype).reshape(shape) if parts else np.zeros(shape, dtype)
                pieces.append(Piece(data, wanted))
            (row,) = node.op.compute(pieces, ins, outs, window)
            self._trash_scratch(index)
            raw = np.ascontiguousarray(np.asarray(row).astype(outs[0].type.dtype.numpy)).view(np.uint8).reshape(-1)
            self._bytes(self._placed(outs[0].name)).reshape(height, -1)[y] = raw

    def _trash_scratch(self, index: int) -> None:
        """A kernel may leave anything in its scratch."""
        if index in self.plan.scratch:
            at = self.plan.scratch[index]
            self.arena[at : at + self.plan.scratch_bytes[index]] = 0xA5

    def run_stage(self, walk: StageWalk, fed: Array | None = None) -> None:
        """All pieces. ``fed``: the input's rows are stored one by one, each band runs when those it needs are there."""
        for number in range(walk.stage.slices):
            self.share = Share(number, walk.stage.slices)
            self._run_slice(walk, fed)
        self.share = Share(0, 1)

    def _run_slice(self, walk: StageWalk, fed: Array | None) -> None:
        sums = _Sums(self, walk) if walk.nodes[-1].reduces else None
        row = 0
        state = self._feed_state(walk) if fed is not None else None
        for band in range(-walk.rows.warm, walk.rows.count):
            if fed is not None:
                name = self.graph.inputs[0]
                while row < walk.rows.needed(name, band).hi:
                    self._feed(name, fed, row)
                    row += 1
            for col in range(-walk.cols.warm, walk.cols.count):
                self._shift(walk, col)
                for node in walk.nodes:
                    self._run_piece(walk, node, band, col, sums)
            assert state is None or (state == _MARK).all(), "the feed state was overwritten"
        if sums:
            sums.finish()

    def _feed_state(self, walk: StageWalk) -> Bytes:
        """The bytes of the feed state, marked so that whoever writes there is noticed."""
        counters = sum(walk.stage.mode(n.outputs[0]).rows is Halo.CACHE for n in walk.nodes[:-1])
        state = self.arena[self.plan.feed_state : self.plan.feed_state + 4 * (2 + counters)]
        assert self.plan.feed_state >= 0
        assert state.size == 4 * (2 + counters)
        state[:] = _MARK
        return state

    def _feed(self, name: str, data: Array, row: int) -> None:
        placement = self._placed(name)
        raw = np.ascontiguousarray(data[0, row]).view(np.uint8).reshape(-1)
        self._segment(placement, row, Interval(0, data.shape[2]), (0, 0))[:] = raw

    def _shift(self, walk: StageWalk, col: int) -> None:
        """Move the columns that are still needed to the left edge of shifted windows."""
        if col == -walk.cols.warm:
            self.origins = {}
        for name in (t for node in walk.nodes[:-1] for t in node.outputs):
            layout, now = self._placed(name).layout, walk.cols.needed(name, col)
            if not layout.shift_cols or not now.size:
                continue
            moved = now.lo - self.origins.get(name, 0)
            kept = self._done_before(walk, name, col) - now.lo
            self.origins[name] = now.lo
            if kept <= 0 or moved <= 0:
                continue
            buffer = self._bytes(self._placed(name)).reshape(layout.rows, layout.cols, -1)
            assert moved + kept <= layout.cols
            buffer[:, :kept] = buffer[:, moved : moved + kept].copy()

    @staticmethod
    def _done_before(walk: StageWalk, name: str, col: int) -> int:
        """The end of the columns that earlier pieces of the band computed."""
        index = col + walk.cols.warm - 1
        return int(walk.cols.tensors[name].done[index]) if index >= 0 else 0

    def _run_piece(self, walk: StageWalk, stage_node: StageNode, band: int, col: int, sums: _Sums | None) -> None:
        name = stage_node.outputs[0]
        window = Window(walk.rows.executed(name, band), walk.cols.executed(name, col))
        if not window.area:
            return
        node = self.graph.nodes[stage_node.index]
        assert isinstance(node.op, Op)
        ins, outs = share_tensors(node.op, self.graph.ins(node), self.graph.outs(node), self.share)
        maps = {i[0]: i for i in stage_node.inputs}
        pieces = []
        for tensor in ins:
            if tensor.is_constant:
                pieces.append(Piece.whole(tensor.array()))
                continue
            _, row_map, col_map = maps[tensor.name]
            height, width, _ = tensor.type.hwc
            wanted = Window(row_map.needed(window.rows), col_map.needed(window.cols)).clip(height, width)
            pieces.append(self._load(walk, tensor, wanted, band, col))
        if stage_node.reduces:
            assert sums is not None
            sums.add(pieces[0])
            return
        results = node.op.compute(pieces, ins, outs, window)
        self._trash_scratch(stage_node.index)
        for tensor, data in zip(outs, results, strict=True):
            self._store(walk, node, tensor, window, np.asarray(data), band, col)

    def _origin(self, walk: StageWalk, name: str, band: int, col: int) -> tuple[int, int]:
        if self._placed(name).layout.kind is not LayoutKind.WINDOW:
            return 0, 0
        return walk.rows.needed(name, band).lo, walk.cols.needed(name, col).lo

    def _load(self, walk: StageWalk, tensor: Tensor, window: Window, band: int, col: int) -> Piece:
        placement = self._placed(tensor.name)
        origin = self._origin(walk, tensor.name, band, col)
        rows = [self._segment(placement, y, window.cols, origin) for y in range(window.rows.lo, window.rows.hi)]
        dtype = tensor.type.dtype.numpy
        shape = (1, window.rows.size, window.cols.size, tensor.shape[3])
        data = np.concatenate(rows).view(dtype).reshape(shape) if rows else np.zeros(shape, dtype)
        return Piece(data, window)

    def _segment(self, placement: Placement, y: int, cols: Interval, origin: tuple[int, int]) -> Bytes:
        """The bytes of pixels [cols.lo, cols.hi) of row y; a view, always contiguous and inside the buffer."""
        layout = placement.layout
        if not cols.size:
            return np.zeros(0, np.uint8)
        start = layout.pixel(y, cols.lo, origin)
        end = start + cols.size
        limit = layout.nbytes // layout.pixel_bytes
        if layout.kind is LayoutKind.LANES:
            lane = y % layout.rows
            limit = layout.lane_start(lane) + layout.lane_pixels[lane] + layout.guard
        assert 0 <= start <= end <= limit, f"segment [{start}, {end}) outside a buffer of {limit} pixels"
        if layout.kind is LayoutKind.WINDOW:
            assert cols.lo >= origin[1], "left of the window"
            assert cols.hi - origin[1] <= layout.cols, "right of the window"
        return self._bytes(placement)[start * layout.pixel_bytes : end * layout.pixel_bytes]

    def _store(
        self, walk: StageWalk, node: Node, tensor: Tensor, window: Window, data: Array, band: int, col: int
    ) -> None:
        placement = self._placed(tensor.name)
        origin = self._origin(walk, tensor.name, band, col)
        assert data.shape == (1, window.rows.size, window.cols.size, tensor.shape[3]), f"{node.name}: {data.shape}"
        raw = np.ascontiguousarray(data.astype(tensor.type.dtype.numpy)).view(np.uint8)
        for r, y in enumerate(range(window.rows.lo, window.rows.hi)):
            pixels = self._segment(placement, y, window.cols, origin).reshape(window.cols.size, -1)
            self._own(pixels, raw.shape[3])[:] = raw[0, r]
            if placement.layout.kind is LayoutKind.LANES:
                self._mirror(placement, y, window.cols)

    def _own(self, pixels: Bytes, size: int) -> Bytes:
        """The bytes of the current share in pixels of which it makes ``size`` bytes each: all, or its part."""
        lo = self.share.number * size if pixels.shape[1] > size else 0
        return pixels[:, lo : lo + size]

    def _mirror(self, placement: Placement, y: int, cols: Interval) -> None:
        """Keep the guard of a lane equal to the lane's start after pixels ``cols`` of row y were written."""
        layout = placement.layout
        lane = y % layout.rows
        size, guard, pixel = layout.lane_pixels[lane], layout.guard, layout.pixel_bytes
        lane_start = layout.lane_start(lane) * pixel
        ring = self._bytes(placement)[lane_start : lane_start + (size + guard) * pixel]
        start = (y // layout.rows * layout.width + cols.lo) % size
        end = start + cols.size
        if end > size:
            ring[: (end - size) * pixel] = ring[size * pixel : end * pixel]
        if start < guard:
            stop = min(guard, end)
            ring[(size + start) * pixel : (size + stop) * pixel] = ring[start * pixel : stop * pixel]
