"""Bytes, MACs and cycles of all stages of a network at once, in closed form: the fast level's row model.

The family: every pair of first and last layer, GRIDS of band heights and chunk widths, and MODES: everything cached, or
expansions recomputed where that saves most of what it costs (and what they read is cached instead). With everything
cached the terms of a stage depend on its end only through the end's stride and size (its class), so carried bytes are
differences of running sums; the peak of what is not carried is a running maximum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinyforge.ir.types import IntArray
from tinyforge.schedule.wiring import Wiring

GRIDS = ((1, 0), (1, 8), (1, 4), (2, 4), (1, 2), (1, 1), (2, 1))
"""Band heights and chunk widths; 0 is the whole row."""
HEIGHTS = tuple(sorted({rows for rows, _ in GRIDS}))
MODES = 3
"""Nothing recomputed; what costs little; whatever saves bytes."""
LITTLE = 8
"""Part of the extra MACs allowed that one layer may cost in the second mode."""
PER_CALL, PER_PIECE, NARROW = 60.0, 75.0, 0.4
"""Instructions of a row segment and of a piece of a layer; cost of a pixel done alone over that of one among many."""

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class StageTable:
    """All stages worth looking at, one column each, sorted by ``last``: layers ``first``..``last``, and per way to run
    it (mode * len(GRIDS) + grid) bytes alive, executed MACs and estimated cycles. A stage of one layer runs it on whole
    tensors, in the first way only; one that reads a fed input runs it in bands. Ways that make no sense have endless
    bytes. ``rings``: (mode, grid, class, layer), whether a layer's output is in a line buffer; ``sideways``: (grid,
    class, layer), whether columns of it are kept from piece to piece; ``kinds``: class of each last layer."""

    first: IntArray
    last: IntArray
    nbytes: Bytes
    macs: FloatArray
    cycles: FloatArray
    rings: BoolArray
    sideways: BoolArray
    kinds: IntArray


ENDLESS = 1 << 30


def stage_table(wiring: Wiring, fed: bool, extra_macs: float) -> StageTable:
    """The table for ``wiring``; ``fed``: the input comes row by row. ``extra_macs``: recomputed in all, at most."""
    return _Table(wiring, fed, extra_macs).build()


class _Table:
    """Arrays by (mode, grid, class of the stage's end, layer), short (m, g, c, n); ends by their index in ``ends``."""

    def __init__(self, wiring: Wiring, fed: bool, extra_macs: float) -> None:
        self.wiring, self.fed, self.extra = wiring, fed, extra_macs
        facts = wiring.wired.facts
        self.count = len(facts)
        columns = np.array(
            [(f.height, f.width, f.pixel, f.macs, f.scratch, f.reduces, f.nbytes) for f in facts], np.int64
        ).reshape(-1, 7)
        self.height, self.width, self.pixel, self.macs, self.scratch, reduces, self.nbytes = columns.T
        self.reduces = reduces.astype(np.bool_)
        self.own_cycles = layer_cycles(wiring)
        layers = np.arange(self.count)
        first = wiring.first.copy()
        if fed:  # the first stage takes all readers of the input
            first = np.where(layers < wiring.read[0], layers, first)
        alone = (
            fed and wiring.read[0] == 0 and bool(facts[0].rows)
        )  # a fed input's only reader may be a stage by itself
        self.ends = np.nonzero((first < layers) | (alone & (layers == 0)))[0]
        self.first = first
        self._classes()

    def _classes(self) -> None:
        """Ends of equal strides and sizes are a class; a reduction runs over its input."""
        w, ends = self.wiring, self.ends
        source = w.main[ends]
        before = np.maximum(source - 1, 0)
        summed = self.reduces[ends] & (source > 0)
        height = np.where(summed, self.height[before], self.height[ends])
        width = np.where(summed, self.width[before], self.width[ends])
        table = np.stack([w.rows.down[ends + 1], w.cols.down[ends + 1], height, width], axis=1)
        seen: dict[tuple[int, ...], int] = {}
        kinds = [seen.setdefault(tuple(row), len(seen)) for row in table.tolist()]
        self.kinds = np.array(kinds, np.int64)
        self.kind = np.array(list(seen), np.int64).reshape(-1, 4)

    def build(self) -> StageTable:
        w = self.wiring
        lone = self._layer_columns()
        if not len(self.ends):
            return lone
        self._spans()
        chosen = self._choose()
        nbytes, rings = self._held(chosen)
        carried = rings | self.sideways | self.far
        last, first, end = self._pairs()
        kind = self.kinds[end]
        total = self._between(nbytes * carried, kind, first, last)
        open_ = nbytes * ~carried
        inner = self._peaks(open_, first, last, end)
        summed = self.reduces[last]
        out = np.where(summed, 0, self.nbytes[last])
        total += inner
        total += np.asarray(out + w.crossing[first] + np.where(summed, self.scratch[last], 0), np.int32)
        total -= self._shared(first, last)
        if self.fed:
            self._feed(total, first, last, kind, carried)
        kept = np.asarray(np.where(self.sane[:, kind], total, ENDLESS), np.int32)
        flat = kept.reshape(MODES * len(GRIDS), -1)
        macs, cycles = self._work(chosen, first, last, kind)
        kinds = np.zeros(self.count, np.int64)
        kinds[self.ends] = self.kinds
        return _merged(lone, StageTable(first, last, flat, macs, cycles, rings, self.sideways, kinds))

    def _pairs(self) -> tuple[IntArray, IntArray, IntArray]:
        """Last and first layers of stages, and the index of the last one in ``ends``. Layers that fit as layers into
        what a whole input needs anyway are not worth fusing among themselves."""
        floor = -1 if self.fed else int(self.wiring.crossing[0])
        big = np.where(self.wiring.layer_bytes > floor, np.arange(self.count), -1)
        latest = np.minimum(np.maximum.accumulate(big)[self.ends], np.maximum(self.ends - 1, 0))
        count = np.maximum(latest + 1 - self.first[self.ends], 0)
        end = np.repeat(np.arange(len(self.ends)), count)
        first = self.first[self.ends][end] + np.arange(len(end)) - np.repeat(np.cumsum(count) - count, count)
        return self.ends[end], first, end

    def _layer_columns(self) -> StageTable:
        """Layers on whole tensors."""
        w = self.wiring
        least = int(w.read[0]) + 1 if self.fed else 0
        layers = np.arange(least, self.count)
        ways = MODES * len(GRIDS)
        nbytes: Bytes = np.full((ways, len(layers)), ENDLESS, np.int32)
        nbytes[0] = w.layer_bytes[least:]
        macs = np.broadcast_to(self.macs[least:].astype(np.float64), nbytes.shape)
        cycles = np.broadcast_to(self.own_cycles[least:], nbytes.shape)
        none = np.zeros((MODES, len(GRIDS), 0, self.count), np.bool_)
        return StageTable(layers, layers, nbytes, macs, cycles, none, none[0], np.zeros(self.count, np.int64))

    def _spans(self) -> None:
        """What each layer computes per piece, and needs to hold."""
        w = self.wiring
        down_r, down_c, height, width = (self.kind[:, k, None] for k in range(4))
        rows_g = np.array([g[0] for g in GRIDS])[:, None, None]
        chunk_g = np.array([g[1] for g in GRIDS])[:, None, None]
        self.bands = -(-height // rows_g)
        chunk = np.where(chunk_g == 0, width, chunk_g)
        self.pieces = -(-width // chunk)
        self.chunked = self.pieces > 1
        whole = (rows_g < height) | (height == 1)
        self.sane = (whole & ((chunk_g == 0) | (chunk_g < width)))[:, :, 0]
        self.steps = np.maximum(down_r // w.rows.down[1:], 1)
        step_r = rows_g * self.steps
        step_c = np.where(self.chunked, chunk * np.maximum(down_c // w.cols.down[1:], 1), self.width)
        self.extra_r = w.rows.ahead[1:] - w.rows.low[1:]
        again_r = w.rows.ahead[1:] - w.rows.low_again[1:]
        extra_c = w.cols.ahead[1:] - w.cols.low[1:]
        # A single band has nothing cached from one before: it computes all that any layer of the stage needs.
        step_r = np.where(self.bands == 1, self.height, step_r)
        self.lanes = np.minimum(step_r, self.height)
        self.need = np.minimum(step_r + self.extra_r, self.height)
        self.need_again = np.minimum(step_r + again_r, self.height)
        self.step_c = np.minimum(step_c, self.width)
        self.need_c = np.where(self.chunked, np.minimum(step_c + extra_c, self.width), self.width)
        self.over_r = (self.extra_r > 0) & (self.bands > 1)
        self.over_again = (again_r > 0) & (self.bands > 1)
        self.far = w.read[1:] != np.arange(1, self.count + 1)
        self.sideways = self.chunked & (extra_c > 0)

    def _choose(self) -> BoolArray:
        """(m, g, c, n): layers that are recomputed."""
        w = self.wiring
        extra = self.macs * self.extra_r * (self.bands - 1) // np.maximum(self.height, 1)
        kept = self._ring(self.need)
        window = self.need * self.need_c * self.pixel
        gain = kept - window
        readers = np.nonzero(w.again_reader >= 0)[0]
        layers = w.again_reader[readers]
        before = np.where(self.over_r, kept, window) * (self.over_r | self.sideways | self.far)
        gain[..., layers] += (before - self._ring(self.need_again))[..., readers]
        useful = w.again & self.over_r & (gain > 0) & (self.lanes < self.height)
        limits = np.array([-1.0, self.extra / LITTLE, self.extra]).reshape(-1, 1, 1, 1)
        return np.asarray(useful & (extra <= limits))

    def _ring(self, need: IntArray) -> IntArray:
        """Bytes of a line buffer of so many rows."""
        lanes = np.maximum(need - self.lanes, 0) * self.width + self.lanes * (2 * self.need_c - 1)
        return np.asarray(np.where(self.chunked, lanes, need * self.width) * self.pixel, np.int64)

    def _held(self, chosen: BoolArray) -> tuple[IntArray, BoolArray]:
        """(m, g, c, n): bytes of every layer's output, and whether they are a line buffer."""
        w = self.wiring
        window = self.need * self.need_c * self.pixel
        usual = np.where(self.over_r, self._ring(self.need), window)
        feeds = np.zeros_like(chosen)
        readers = np.nonzero(w.again_reader >= 0)[0]
        feeds[..., readers] = chosen[..., w.again_reader[readers]]
        again = np.where(self.over_again, self._ring(self.need_again), self.need_again * self.need_c * self.pixel)
        nbytes = np.where(chosen, window, np.where(feeds, again, usual))
        rings = ~chosen & np.where(feeds, self.over_again, self.over_r)
        return np.asarray(nbytes, np.int32), np.asarray(rings)

    def _between(self, terms: IntArray, kind: IntArray, first: IntArray, last: IntArray) -> IntArray:
        """Sums of terms of layers first..last-1."""
        sums = np.zeros((*terms.shape[:-1], self.count + 1), terms.dtype)
        np.cumsum(terms, axis=-1, out=sums[..., 1:])
        return np.asarray(sums[..., kind, last] - sums[..., kind, first])

    def _peaks(self, open_: IntArray, first: IntArray, last: IntArray, end: IntArray) -> IntArray:
        """The most that is alive in one step beside what is carried."""
        before = np.concatenate([np.zeros_like(open_[..., :1]), open_[..., :-1]], axis=-1)
        middle = (before + open_ + self.scratch.astype(np.int32))[..., self.kinds, :]
        middle *= np.arange(self.count) < self.ends[:, None]
        running = np.maximum.accumulate(middle[..., ::-1], axis=-1)[..., ::-1]
        kind = self.kinds[end]
        at_end = before[..., kind, last] + np.where(self.reduces[last], self.nbytes[last], self.scratch[last])
        at_start = np.where(first < last, open_[..., kind, first] + self.scratch[first], 0)
        return np.asarray(np.maximum(np.maximum(running[..., end, first + 1], at_end), at_start), np.int32)

    def _shared(self, first: IntArray, last: IntArray) -> IntArray:
        """(m, g, pairs): bytes of an input dying in the stage that its output may take over."""
        w = self.wiring
        tensor = w.main[first]
        widths = np.concatenate([[w.wired.input[1]], self.width])
        pixels = np.concatenate([[w.wired.input[2]], self.pixel])
        size, row_in = w.nbytes[tensor], widths[tensor] * pixels[tensor]
        row_out, height, out = self.width[last] * self.pixel[last], self.height[last], self.nbytes[last]
        steps = np.maximum(w.rows.down[last + 1] // w.rows.down[tensor], 1)
        base = steps * w.rows.ahead[last + 1]
        low = np.stack([w.rows.low[tensor] - base, w.rows.low_again[tensor] - base])
        updated = self._updated(tensor, first, last)
        low[:, updated] = (w.rows.ahead[tensor] - base)[updated]
        rows = np.array(HEIGHTS)[:, None]
        low, advance, bands = low[:, None, :], rows * steps, -(-height // rows)
        turn = np.clip(-(low // np.maximum(advance, 1)), 0, bands - 1)
        distance = np.zeros_like(turn)
        for band in (np.zeros_like(turn), turn, np.maximum(turn - 1, 0), np.broadcast_to(bands - 1, turn.shape)):
            written = np.minimum((band + 1) * rows, height) * row_out
            distance = np.maximum(distance, written - np.maximum(band * advance + low, 0) * row_in)
        shared = size + out - np.maximum(out, distance + size)
        fed = self.fed & (tensor == 0)
        shared = np.where((size > 0) & (w.read[tensor] <= last) & ~self.reduces[last] & ~fed, shared, 0)
        return np.asarray(shared[[0, *[1] * (MODES - 1)]][:, [HEIGHTS.index(g[0]) for g in GRIDS]], np.int32)

    def _updated(self, tensor: IntArray, first: IntArray, last: IntArray) -> BoolArray:
        """Whether the stage's last layer works in place on what its first one reads."""
        w = self.wiring
        facts, reads = w.wired.facts, w.wired.reads
        places = [{t for t, p in zip(r, f.in_place, strict=False) if p} for f, r in zip(facts, reads, strict=True)]
        found = [t in places[j] for t, j in zip(tensor.tolist(), last.tolist(), strict=True)]
        same = (w.nbytes[tensor] == self.nbytes[last]) & (first < last)
        return np.asarray(np.array(found, np.bool_) & same)

    def _feed(self, total: IntArray, first: IntArray, last: IntArray, kind: IntArray, carried: BoolArray) -> None:
        """A fed input is held in a ring of rows; counters of rows done lie in the arena."""
        w = self.wiring
        height, width, pixel = w.wired.input
        starts = np.nonzero(first == 0)[0]
        steps = np.maximum(w.rows.down[last[starts] + 1] // w.rows.down[0], 1)
        rows = np.array([g[0] for g in GRIDS])[:, None] * steps
        lows = np.stack([w.rows.low[0], *[w.rows.low_again[0]] * (MODES - 1)]).reshape(-1, 1, 1)
        need = np.minimum(rows + w.rows.ahead[0] - lows, height)
        counters = self._between(carried.astype(np.int64), kind[starts], first[starts], last[starts])
        total[..., starts] += need * width * pixel - height * width * pixel + 8 + 4 * counters

    def _work(
        self, chosen: BoolArray, first: IntArray, last: IntArray, kind: IntArray
    ) -> tuple[FloatArray, FloatArray]:
        """Executed MACs and estimated cycles of each way."""
        again = np.where(chosen, self.extra_r * (self.bands - 1) / np.maximum(self.height, 1), 0.0)
        ways = MODES * len(GRIDS)
        extra = self._between(self.macs * again, kind, first, last).reshape(ways, -1)
        alone = 1.0 + NARROW / np.maximum(self.step_c, 1)
        per_row = PER_CALL * self.height * self.pieces + PER_PIECE * self.bands * self.pieces
        cycles = (self.own_cycles * alone + per_row) * (1.0 + again)
        own = np.concatenate([[0.0], np.cumsum(self.macs)])
        at_end = np.broadcast_to((self.own_cycles * alone + per_row)[..., kind, last], (MODES, len(GRIDS), len(last)))
        spent = self._between(cycles, kind, first, last) + at_end
        return extra + own[last + 1] - own[first], spent.reshape(ways, -1)


def _merged(lone: StageTable, fused: StageTable) -> StageTable:
    """The stages of both, by their last layer."""
    order = np.argsort(np.concatenate([lone.last, fused.last]), kind="stable")
    return StageTable(
        first=np.concatenate([lone.first, fused.first])[order],
        last=np.concatenate([lone.last, fused.last])[order],
        nbytes=np.concatenate([lone.nbytes, fused.nbytes], axis=1)[:, order],
        macs=np.concatenate([lone.macs, fused.macs], axis=1)[:, order],
        cycles=np.concatenate([lone.cycles, fused.cycles], axis=1)[:, order],
        rings=fused.rings,
        sideways=fused.sideways,
        kinds=fused.kinds,
    )


def layer_cycles(wiring: Wiring) -> FloatArray:
    """Instructions of each layer on whole tensors, roughly as ``schedule.cycles`` counts them."""
    found = []
    for f in wiring.wired.facts:
        elements = f.height * f.width * f.pixel
        found.append(0.0 if f.alias else 0.75 * f.macs + 8.0 * elements + PER_CALL * f.height)
    return np.array(found, np.float64)
