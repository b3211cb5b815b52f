"""Stages in channel slices: what they cost, and which of them can matter.

Where a whole input and a whole output lie in memory beside the rows that wait between them, those rows may be what does
not fit. A stage that makes its map in slices of channels (``ops.channel_slices``) holds so many times fewer of them and
computes nothing twice; its input's pixels are widened once a slice. A slice is a multiple of four channels, of at least
eight; every halo is cached.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tinyforge.ir.schedule import CACHED, TensorMode
from tinyforge.ops.base import Channels, Op
from tinyforge.ops.channel_slices import sliceable, sliced_call
from tinyforge.schedule.cycles import PER_PIECE, PER_RING, node_cost
from tinyforge.schedule.space import Space, WindowedNode
from tinyforge.schedule.stage_cost import COLUMNS_CACHED, Edge, Limits, Link, Span, needed_span

MULTIPLE, LEAST = 4, 8
"""Channels of a slice."""


@dataclass(frozen=True, slots=True)
class _Held:
    """A stage in pieces of patch_h x patch_w, unsliced: bytes ``carried`` from piece to piece, bytes ``passing`` from
    each node to the next, and how its tensors are held."""

    patch_h: int
    patch_w: int
    carried: int
    passing: tuple[int, ...]
    modes: Link | None
    calls: int  # row segments of every node, in all
    windows: int  # pieces


@dataclass(frozen=True, slots=True)
class _Tensor:
    """A tensor between two nodes, unsliced: the rows and columns its node computes in a piece, and what is held."""

    rows: Span
    cols: Span
    nbytes: int
    carried: bool
    mode: TensorMode | None


def _cached(space: Space, tensor: int, rows: Span, cols: Span, bands: int, pieces: int) -> _Tensor:
    """A tensor of which pieces need ``rows`` x ``cols``, every halo cached; as ``stage_cost`` counts."""
    pixel, width = space.pixel[tensor], space.width[tensor]
    need_r = min(rows[2] - rows[1], space.height[tensor])
    need_c = min(cols[2] - cols[1], width) if pieces > 1 else width
    sideways = pieces > 1 and cols[2] - cols[1] > cols[0]
    fresh = (cols[0], cols[2] - cols[0], cols[2])
    if bands == 1 or rows[2] - rows[1] <= rows[0]:
        mode = COLUMNS_CACHED if sideways else None
        return _Tensor(rows, fresh if sideways else cols, need_r * need_c * pixel, sideways, mode)
    lanes = min(rows[0], space.height[tensor])
    pixels = need_r * width
    if pieces > 1:
        pixels = max(need_r - lanes, 0) * width + lanes * (2 * need_c - 1)
    return _Tensor((rows[0], rows[2] - rows[0], rows[2]), fresh, pixels * pixel, True, CACHED)


class SlicedStages:
    """All stages of a network that can run in slices, in the given grids of band heights and chunk widths (0: rows).
    Not those of operators that run twice: both runs share their tables, and slices want them in another order."""

    def __init__(self, space: Space, grids: Sequence[tuple[int, int]], limits: Limits) -> None:
        self.space, self.limits = space, limits
        self.found: dict[tuple[int, int], list[_Held]] = {}
        if not limits.caches:
            return
        nodes = space.graph.nodes
        self.twice = {name for node in nodes if node.repeats for name in (node.name, node.repeats)}
        for last in range(1, space.count):
            first = self._first(last)
            if first is not None:
                self.found[first, last] = [h for g in grids if (h := self._held(first, last, *g)) is not None]

    def _first(self, last: int) -> int | None:
        """Where a sliced stage that ends with node ``last`` begins; None where there is none."""
        graph = self.space.graph
        for first in range(last, -1, -1):
            op = graph.nodes[first].op
            node = self.space.windowed[first]
            assert isinstance(op, Op)
            if node is None or op.channels is Channels.MIXED or graph.nodes[first].name in self.twice:
                return None
            if op.channels is Channels.ALL:
                fed = self.limits.fed and self.space.made[node.reads[0].tensor] < 0
                if first == last or fed or not self._slices(first):
                    return None
                return first if sliceable(graph, first, last) else None
        return None

    def _slices(self, first: int) -> list[int]:
        """Into how many slices the channels that node ``first`` makes can be cut."""
        node = self.space.graph.nodes[first]
        channels = self.space.graph.tensors[node.outputs[0]].shape[3]
        return [n for n in range(2, channels // LEAST + 1) if channels % (n * MULTIPLE) == 0]

    def _nodes(self, first: int, last: int) -> list[WindowedNode]:
        nodes = [self.space.windowed[i] for i in range(first, last + 1)]
        assert all(nodes)
        return [n for n in nodes if n is not None]

    def _held(self, first: int, last: int, patch_h: int, chunk: int) -> _Held | None:
        space, nodes = self.space, self._nodes(first, last)
        height, width = space.height[nodes[-1].output], space.width[nodes[-1].output]
        if chunk >= width or patch_h > height or patch_h == height > 1:
            return None
        bands, pieces = -(-height // patch_h), -(-width // (chunk or width))
        rows, cols = (patch_h, 0, patch_h), (chunk or width, 0, chunk or width)
        carried, passing, modes = 0, [0], None
        for reader, node in zip(reversed(nodes[1:]), reversed(nodes[:-1]), strict=True):
            need_r, need_c = needed_span(rows, reader.reads[0].rows), needed_span(cols, reader.reads[0].cols)
            if need_r is None or need_c is None:
                return None
            held = _cached(space, node.output, need_r, need_c, bands, pieces)
            rows, cols = held.rows, held.cols
            carried += held.nbytes if held.carried else 0
            passing.append(0 if held.carried else held.nbytes)
            modes = modes if held.mode is None else Link(node.output, held.mode, modes)
        return _Held(patch_h, chunk or width, carried, (0, *reversed(passing)), modes, height * pieces, bands * pieces)

    def _bytes(self, first: int, last: int, held: _Held, slices: int) -> int:
        """Bytes alive in the stage."""
        space = self.space
        around = space.crossing[first] + space.nbytes[self._nodes(first, last)[-1].output]
        most = 0
        for i, node in enumerate(self._nodes(first, last)):
            most = max(most, (held.passing[i] + held.passing[i + 1]) // slices + node.scratch)
        return around + held.carried // slices + most

    def edges(self, others: Sequence[Iterable[Edge]]) -> Iterator[Edge]:
        """Those that can matter beside ``others``: a schedule needs at least the smallest stage over each node, and
        where a stage without slices keeps to that it is the faster one."""
        bound = self._bound(others)
        for (first, last), grids in self.found.items():
            wanted = [h for h in grids if self._bytes(first, last, h, 1) > bound]
            for slices in self._slices(first) if wanted else ():
                factor = self._factor(first, last, slices)
                for held in wanted if factor else ():
                    nbytes = self._bytes(first, last, held, slices)
                    if nbytes <= self.limits.nbytes:
                        yield self._edge(first, last, held, slices, nbytes, factor)

    def _bound(self, others: Sequence[Iterable[Edge]]) -> int:
        """The largest, over all nodes, of the smallest stage there is over the node."""
        least = [self.limits.nbytes + 1] * self.space.count
        for group in others:
            for edge in group:
                for i in range(edge.first, edge.last + 1):
                    least[i] = min(least[i], edge.nbytes)
        for (first, last), grids in self.found.items():
            most = self._slices(first)[-1]
            for held in grids:
                nbytes = self._bytes(first, last, held, most)
                for i in range(first, last + 1):
                    least[i] = min(least[i], nbytes)
        return max(least, default=0)

    def _factor(self, first: int, last: int, slices: int) -> tuple[float, ...]:
        """For each node, instructions of all slices over those of the whole operator; none where it cannot."""
        graph, found = self.space.graph, []
        for i in range(first, last + 1):
            call = self.space.calls[i]
            sliced = sliced_call(graph, i, call, slices, spread=i == last)
            if sliced is None:
                return ()
            found.append(slices * node_cost(graph, sliced, i, slices).layer / max(node_cost(graph, call, i).layer, 1))
        return tuple(found)

    def _edge(self, first: int, last: int, held: _Held, slices: int, nbytes: int, factor: Sequence[float]) -> Edge:
        space, nodes = self.space, self._nodes(first, last)
        cycles = float(slices * held.windows * PER_PIECE * len(nodes))
        for node, times in zip(nodes, factor, strict=True):
            height, width = space.height[node.output], space.width[node.output]
            calls = held.calls * height // space.height[nodes[-1].output]
            rings = PER_RING * calls if held.patch_w < space.width[nodes[-1].output] else 0
            cycles += times * node.cost.of(calls, height * width) + slices * rings
        macs = sum(n.macs for n in nodes)
        return Edge(first, last, nbytes, macs, cycles, held.patch_h, held.patch_w, held.modes, slices)
