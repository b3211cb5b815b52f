"""What a fused stage costs in bytes, MACs and cycles, in closed form: a walk back from its last node gives all starts.

In the middle of a map the windows of ``ops.stage_windows`` repeat: in band b a tensor needs rows
[b*step + lo, b*step + hi) with a fixed step, and likewise columns. A label is those offsets for the tensors still to be
made, with the bytes and work so far. Per tensor with a halo the label splits: rows cached (a ring of whole rows, or
raster rings where bands are swept in chunks of columns) or rows recomputed. Labels that another one beats in everything
are dropped. Borders make windows smaller, never larger, so bytes are upper bounds up to rounding; ``memory.plan`` has
the last word.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from tinyforge.ir.schedule import CACHED, FusedStage, Halo, TensorMode
from tinyforge.schedule.cycles import PER_PIECE, PER_RING
from tinyforge.schedule.space import Axis, Space, WindowedNode, overlap

COLUMNS_CACHED = TensorMode(Halo.RECOMPUTE, Halo.CACHE)
MOST_LABELS = 16
"""Labels kept per set of offsets."""

Span = tuple[int, int, int]
"""step, lo, hi: [b*step + lo, b*step + hi) in band (or piece) b."""
Pending = tuple[tuple[int, Span, Span], ...]
"""Tensors needed but not made yet, with their rows and columns."""


class Link(NamedTuple):
    """A tensor's mode, and those of the tensors after it."""

    tensor: int
    mode: TensorMode
    rest: Link | None


class Label(NamedTuple):
    """State after walking back to some node: ``carried`` bytes live all through the stage, ``open`` in the step of the
    last node walked, ``peak`` the most of any step so far (carried not included)."""

    carried: int
    open: int
    peak: int
    macs: int
    cycles: float
    modes: Link | None
    counters: int


@dataclass(frozen=True, slots=True)
class Edge:
    """A stage over nodes first..last and its cost; ``nbytes`` with everything alive around it."""

    first: int
    last: int
    nbytes: int
    macs: int
    cycles: float
    patch_h: int
    patch_w: int
    modes: Link | None
    slices: int = 1

    def stage(self, space: Space) -> FusedStage:
        modes = []
        link = self.modes
        while link is not None:
            modes.append((space.names[link.tensor], link.mode))
            link = link.rest
        return FusedStage(self.first, self.last, self.patch_h, self.patch_w, tuple(modes), self.slices)


@dataclass(frozen=True, slots=True)
class Limits:
    """Stages above ``nbytes`` or with more than ``extra_macs`` of recomputation are not followed. ``recompute``,
    ``caches``: whether halos may be recomputed, or cached, at all; ``lines``: rows may be cached, not only columns.
    ``fed``: the graph's input is fed row by row. ``floor``: bytes that every schedule needs."""

    nbytes: int
    extra_macs: int
    recompute: bool = True
    fed: bool = False
    caches: bool = True
    lines: bool = True
    floor: int = -1


@lru_cache(maxsize=200_000)
def positions(step: int, lo: int, hi: int, extent: int, count: int) -> int:
    """Positions computed over all bands (warm-up included) when each computes what it needs."""
    total = 0
    for band in range(count - 1, -(hi // max(step, 1)) - 2, -1):
        first, end = max(band * step + lo, 0), min(band * step + hi, extent)
        if end > first:
            total += end - first
        elif end <= 0:
            break
    return total


def stage_edges(space: Space, last: int, patch_h: int, patch_w: int, limits: Limits) -> Iterator[Edge]:
    """All stages that end with node ``last`` in pieces of patch_h x patch_w, longest last."""
    least = latest_start(space, last, limits)
    end = space.windowed[last] if least >= 0 else None
    if end is None:
        return
    height, width = space.height[end.domain], space.width[end.domain]
    if patch_h > height or (patch_h == height > 1) or (patch_w > width):
        return
    walk = _Walk(space, end, patch_h, patch_w, limits, least)
    labels = walk.start()
    for index in range(last - 1, -1, -1):
        node = space.windowed[index]
        if node is None or node.reduces:
            return
        labels = walk.back(node, labels)
        if not labels:
            return
        if index <= least:
            yield from walk.finish(index, labels)


def latest_start(space: Space, last: int, limits: Limits) -> int:
    """The latest node that a stage ending with ``last`` is worth beginning with: what runs layer by layer within
    ``limits.floor`` bytes, which every schedule needs, is not worth fusing. -1: none."""
    return next((i for i in range(last, -1, -1) if space.layer_bytes[i] > limits.floor), -1)


class _Walk:
    """The walk for one end, band height and chunk width."""

    def __init__(self, space: Space, end: WindowedNode, patch_h: int, patch_w: int, limits: Limits, least: int) -> None:
        self.space, self.end, self.patch_h, self.patch_w, self.limits = space, end, patch_h, patch_w, limits
        self.least = least
        height, width = space.height[end.domain], space.width[end.domain]
        self.bands, self.pieces = -(-height // patch_h), -(-width // patch_w)
        self.chunked = self.pieces > 1
        self.last = end.index
        self.own = end.macs  # MACs of the nodes walked, nothing recomputed
        self.out_bytes = 0 if end.reduces else space.nbytes[end.output]
        self.room = 0
        self.known: dict[tuple[int, Span, Span], list[_Choice]] = {}
        self.shares: dict[tuple[int, int, Span], int] = {}

    def start(self) -> dict[Pending, list[Label]]:
        end, space = self.end, self.space
        rows, cols = (self.patch_h, 0, self.patch_h), (self.patch_w, 0, self.patch_w)
        if end.reduces:
            opened, carried = space.nbytes[end.output], end.scratch
        else:
            opened, carried = end.scratch, 0
        height, width = space.height[end.domain], space.width[end.domain]
        cycles = self._cycles(end, height, width, self.pieces * height)
        pending = self._demand((), end, rows, cols)
        if pending is None:
            return {}
        return {pending: [Label(carried, opened, opened, end.macs, cycles, None, 0)]}

    def _demand(self, pending: Pending, node: WindowedNode, rows: Span, cols: Span) -> Pending | None:
        """Pending tensors after a node that computes rows x cols joined them; None where steps do not agree."""
        found = {p[0]: p for p in pending}
        for read in node.reads:
            r, c = needed_span(rows, read.rows), needed_span(cols, read.cols)
            if r is None or c is None:
                return None
            if read.tensor in found:
                _, old_r, old_c = found[read.tensor]
                if old_r[0] != r[0] or old_c[0] != c[0]:
                    return None
                r = (r[0], min(r[1], old_r[1]), max(r[2], old_r[2]))
                c = (c[0], min(c[1], old_c[1]), max(c[2], old_c[2]))
            found[read.tensor] = (read.tensor, r, c)
        return tuple(sorted(found.values()))

    def back(self, node: WindowedNode, labels: dict[Pending, list[Label]]) -> dict[Pending, list[Label]]:
        """Labels after node, in all the ways its output can be held."""
        grown: dict[Pending, list[Label]] = {}
        self.own += node.macs
        tensor = node.output
        whole = self.space.read[tensor] > self.last
        around = 0 if self.limits.fed else self.space.around[min(node.index, self.least)]
        self.room = self.limits.nbytes - max(self.out_bytes, around)
        for pending, group in labels.items():
            entry = next((p for p in pending if p[0] == tensor), None)
            if entry is None:
                continue
            rest = tuple(p for p in pending if p[0] != tensor)
            choices = self.known.get(entry)
            if choices is None:
                choices = self.known[entry] = self._choices(node, entry, whole)
            for choice in choices:
                after = self._demand(rest, node, choice.rows, choice.cols)
                if after is None:
                    continue
                target = grown.setdefault(after, [])
                self._extend(target, group, node, choice)
        return {p: _best(group) for p, group in grown.items() if group}

    def _extend(self, target: list[Label], group: list[Label], node: WindowedNode, choice: _Choice) -> None:
        """Labels of ``group`` with ``choice`` made, where they keep the limits."""
        held = choice.nbytes
        own, passing = (held, 0) if choice.carried else (0, held)
        opened = passing + node.scratch
        most_macs = self.limits.extra_macs + self.own - choice.macs
        mode = choice.mode
        cached = mode is not None and mode.rows is Halo.CACHE
        for label in group:
            carried = label.carried + own
            peak = max(label.peak, label.open + passing if passing else 0, opened)
            if label.macs > most_macs or carried + peak > self.room:
                continue
            modes = label.modes if mode is None else Link(node.output, mode, label.modes)
            cycles = label.cycles + choice.cycles
            target.append(
                Label(carried, opened, peak, label.macs + choice.macs, cycles, modes, label.counters + cached)
            )

    def _choices(self, node: WindowedNode, entry: tuple[int, Span, Span], whole: bool) -> list[_Choice]:
        _, rows, cols = entry
        overlap_rows = self.bands > 1 and rows[2] - rows[1] > rows[0]
        if whole:
            if not self.limits.caches or not self.limits.lines or not self._complete(node.output, rows, cols):
                return []
            return [self._choice(node, rows, cols, CACHED, self.space.nbytes[node.output])]
        if not self.limits.caches:
            return [self._choice(node, rows, cols, None)]
        if not overlap_rows:
            mode = COLUMNS_CACHED if self.chunked and cols[2] - cols[1] > cols[0] else None
            return [self._choice(node, rows, cols, mode)]
        found = [self._choice(node, rows, cols, CACHED)] if self.limits.lines else []
        if self.limits.recompute:
            found.append(self._choice(node, rows, cols, COLUMNS_CACHED if self.chunked else None))
        return found

    def _complete(self, tensor: int, rows: Span, cols: Span) -> bool:
        """Whether the stage computes all of a tensor that is read outside it too: strided readers may skip the end."""
        spans = ((rows, self.bands, self.space.height[tensor]), (cols, self.pieces, self.space.width[tensor]))
        return all(lo <= 0 and (n - 1) * step + hi >= extent and hi - lo >= step for (step, lo, hi), n, extent in spans)

    def _choice(self, node: WindowedNode, rows: Span, cols: Span, mode: TensorMode | None, whole: int = 0) -> _Choice:
        """The output of ``node`` held as ``mode`` says (None: recomputed)."""
        space, tensor = self.space, node.output
        height, width, pixel = space.height[tensor], space.width[tensor], space.pixel[tensor]
        ring = mode is not None and mode.rows is Halo.CACHE
        columns = self.chunked and mode is not None
        need_r = min(rows[2] - rows[1], height)
        need_c = min(cols[2] - cols[1], width) if self.chunked else width
        sideways = columns and cols[2] - cols[1] > cols[0]
        lanes = min(rows[0], height)
        if whole:
            nbytes = whole
        elif ring and self.chunked:
            nbytes = (max(need_r - lanes, 0) * width + lanes * (2 * need_c - 1)) * pixel
        else:
            nbytes = need_r * need_c * pixel
        made_r = height if ring else positions(*rows, height, self.bands)
        made_c = width if not self.chunked or columns else positions(*cols, width, self.pieces)
        calls = made_r * (self.pieces if self.chunked else 1)
        return _Choice(
            rows=(rows[0], rows[2] - rows[0], rows[2]) if ring and rows[0] else rows,  # step 0: once, all of it
            cols=(cols[0], cols[2] - cols[0], cols[2]) if columns else cols,
            mode=mode,
            nbytes=nbytes,
            carried=ring or sideways or space.read[tensor] != node.index + 1,
            macs=node.macs * made_r * made_c // (height * width) if node.macs else 0,
            cycles=self._cycles(node, made_r, made_c, calls),
        )

    def _cycles(self, node: WindowedNode, made_r: int, made_c: int, calls: int) -> float:
        rings = PER_RING * calls if self.chunked else 0
        return node.cost.of(calls, made_r * made_c) + rings + PER_PIECE * self.bands * self.pieces

    def finish(self, first: int, labels: dict[Pending, list[Label]]) -> Iterator[Edge]:
        """Stages that begin with node ``first``: everything pending comes from outside."""
        around = self.space.crossing[first] + self.out_bytes
        for pending, group in labels.items():
            shared = 0
            fed = 0
            feeding = self.limits.fed and first == 0
            for tensor, rows, _ in pending:
                if self.space.made[tensor] >= first:
                    break
                if feeding and self.space.made[tensor] < 0:
                    held = min(rows[2] - rows[1], self.space.height[tensor])
                    fed = held * self.space.width[tensor] * self.space.pixel[tensor] + 8 - self.space.nbytes[tensor]
                elif not self.end.reduces:
                    saved = self.shares.get((first, tensor, rows))
                    if saved is None:
                        saved = self.shares[first, tensor, rows] = self._shared(first, tensor, rows)
                    shared = max(shared, saved)
            else:
                if feeding and self.space.read[self.space.input] > self.last:
                    return
                for label in group:
                    counters = 4 * label.counters if feeding else 0
                    nbytes = label.carried + label.peak + around - shared + fed + counters
                    if nbytes <= self.limits.nbytes:
                        yield Edge(
                            first,
                            self.last,
                            nbytes,
                            label.macs,
                            label.cycles,
                            self.patch_h,
                            self.patch_w,
                            label.modes,
                        )

    def _shared(self, first: int, tensor: int, rows: Span) -> int:
        """Bytes that the stage's output may share with an input that dies in the stage."""
        space, end = self.space, self.end
        size = space.nbytes[tensor]
        if not size or space.read[tensor] > self.last:
            return 0
        row_out = space.width[end.output] * space.pixel[end.output]
        row_in = space.width[tensor] * space.pixel[tensor]
        low = rows[1]
        inside = tuple(r for r in space.readers[tensor] if r >= first)
        reads_late = end.index in inside
        if tensor in end.in_place and inside == (first, end.index) and size == self.out_bytes:
            low = rows[2] - rows[0]  # what the add reads goes as it is read; the others are at the newest rows
            reads_late = False
        if not self.chunked and not reads_late:
            low += rows[0]  # what a band reads is read before its output is written
        distance = overlap(self.patch_h, space.height[end.output], row_out, rows[0], low, row_in)
        return size + self.out_bytes - max(self.out_bytes, distance + size)


class _Choice(NamedTuple):
    """One way to hold a tensor: what its node then computes, and what that costs."""

    rows: Span
    cols: Span
    mode: TensorMode | None
    nbytes: int
    carried: bool
    macs: int
    cycles: float


def needed_span(span: Span, axis: Axis) -> Span | None:
    """AxisMap.needed of a span in every band at once; None where it does not repeat from band to band."""
    step, lo, hi = span
    num, den, first, end = axis
    if den == 1:
        return step * num, lo * num + first, (hi - 1) * num + end + 1
    if step * num % den:
        return None
    return step * num // den, (lo * num + first) // den, ((hi - 1) * num + end) // den + 1


def _best(group: list[Label]) -> list[Label]:
    """Labels that no other beats in carried bytes, bytes and MACs."""
    if len(group) == 1:
        return group
    kept: list[Label] = []
    for label in sorted(group, key=lambda b: (b.macs, b.carried + b.peak, b.carried, b.cycles)):
        total = label.carried + label.peak
        for k in kept:
            if k.carried <= label.carried and k.carried + k.peak <= total:
                break
        else:
            kept.append(label)
            if len(kept) >= MOST_LABELS:
                break
    return kept
