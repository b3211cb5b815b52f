"""Where every activation lies in the arena: the values the planner makes and the interpreter and code generator use."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, replace


class LayoutKind(enum.Enum):
    """How the pixels of a tensor lie in its buffer; ``Layout.pixel`` has the formulas."""

    WHOLE = "whole"
    ROW_RING = "row_ring"
    WINDOW = "window"
    LANES = "lanes"


@dataclass(frozen=True, slots=True)
class Layout:
    """Pixels of ``pixel_bytes`` (all channels) bytes; a row segment that a kernel reads or writes is always contiguous.

    WHOLE: pixel (y, x) at index y*cols + x; rows = H, cols = W.
    ROW_RING: whole rows, ``rows`` of them; pixel (y, x) at (y % rows)*cols + x; cols = W.
    WINDOW: the piece's window with origin (y0, x0), the first needed row and column of the tensor that are inside it;
      pixel (y, x) at (y - y0)*cols + (x - x0). Where ``shift_cols`` is set the columns computed by the piece before
      and still needed are moved to the left edge at the start of each piece after the first of a band.
    LANES: raster rings for bands swept column by column. Row y is in lane y % rows; the lanes follow each other, lane j
      holding ``lane_pixels[j]`` pixels plus ``guard`` more. In its lane pixel (y, x) is at
      ((y // rows)*width + x) % lane_pixels[j]; pixel k < guard is mirrored at lane_pixels[j] + k, so that segments of
      up to guard + 1 pixels are contiguous. A writer writes straight on into the guard, then copies what landed there
      to the lane's start, and what it wrote at the lane's start to the guard.
    """

    kind: LayoutKind
    pixel_bytes: int
    rows: int
    cols: int
    width: int = 0
    shift_cols: bool = False
    lane_pixels: tuple[int, ...] = ()
    guard: int = 0

    @property
    def nbytes(self) -> int:
        if self.kind is LayoutKind.LANES:
            return (sum(self.lane_pixels) + len(self.lane_pixels) * self.guard) * self.pixel_bytes
        return self.rows * self.cols * self.pixel_bytes

    def lane_start(self, lane: int) -> int:
        """First pixel of a lane."""
        return sum(self.lane_pixels[:lane]) + lane * self.guard

    def pixel(self, y: int, x: int, origin: tuple[int, int] = (0, 0)) -> int:
        """Index of pixel (y, x) in the buffer; ``origin`` (y0, x0) counts for WINDOW only."""
        if self.kind is LayoutKind.WHOLE:
            return y * self.cols + x
        if self.kind is LayoutKind.ROW_RING:
            return (y % self.rows) * self.cols + x
        if self.kind is LayoutKind.WINDOW:
            return (y - origin[0]) * self.cols + (x - origin[1])
        lane = y % self.rows
        return self.lane_start(lane) + ((y // self.rows) * self.width + x) % self.lane_pixels[lane]


@dataclass(frozen=True, slots=True)
class Placement:
    """A tensor's buffer: arena bytes [offset, offset + nbytes), laid out as ``layout``."""

    offset: int
    nbytes: int
    layout: Layout


@dataclass(frozen=True, slots=True)
class Buffer:
    """A rectangle of the memory timeline: arena bytes over inclusive steps; ``names`` share it (in place, alias)."""

    names: tuple[str, ...]
    kind: str  # "input", "output", "activation", "line buffer", "patch", "accumulator", "scratch"
    offset: int
    nbytes: int
    first_use: int
    last_use: int


@dataclass(frozen=True, slots=True)
class ArenaPart:
    """What of the arena lies in one SRAM bank: offsets [start, start + used_bytes). ``main``: the bank that holds the
    firmware's data too, where variables go that ask for nothing."""

    bank: str
    start: int
    used_bytes: int
    main: bool


@dataclass(frozen=True, slots=True)
class Move:
    """Before the stage that begins with node ``step``, ``nbytes`` bytes of the whole tensors ``names`` (which share a
    buffer) go from offset ``source`` to ``target``; the two may overlap."""

    step: int
    names: tuple[str, ...]
    source: int
    target: int
    nbytes: int


@dataclass(frozen=True, slots=True, eq=False)
class MemoryPlan:
    """One arena for everything the model keeps in SRAM. A step is a node's index in the graph; all steps of a fused
    stage happen once per piece.

    Offsets are places in one row of bytes. An arena in several banks is cut between buffers into ``parts``, each an
    array of its own; the gaps between their offsets belong to nobody. Without ``parts``: one array in the main bank.

    placements: every activation tensor, graph inputs and outputs included. scratch: node -> arena offset of its
    kernel's scratch. aliases: nodes that need no code because their output is their input's bytes (reshape).
    in_place: nodes whose output lies where one of their inputs lay -> that input's name.
    feed_state: row-fed input: offset of the int32 values that last from one feed to the next (rows fed, next band, rows
    done per node of stage 0 whose rows are cached); else -1. moves: buffers that lie elsewhere from some stage on;
    ``placements`` has where they begin.
    """

    placements: Mapping[str, Placement]
    scratch: Mapping[int, int]
    scratch_bytes: Mapping[int, int]
    aliases: frozenset[int]
    in_place: Mapping[int, str]
    arena_bytes: int
    arena_bytes_without_input: int
    lower_bound: int
    proven_optimal: bool
    peak_step: int
    peak_buffers: tuple[str, ...]
    timeline: tuple[Buffer, ...]
    feed_state: int = -1
    parts: tuple[ArenaPart, ...] = ()
    moves: tuple[Move, ...] = ()

    @property
    def end(self) -> int:
        """Smallest number above all offsets; more than ``arena_bytes`` where there are gaps between parts."""
        return max((p.start + p.used_bytes for p in self.parts), default=self.arena_bytes)

    def part(self, offset: int) -> ArenaPart | None:
        """The part an offset lies in, None where the arena is one array in the main bank."""
        return next((p for p in reversed(self.parts) if p.start <= offset), None)

    def placed(self, name: str, step: int) -> Placement:
        """Where a tensor lies while node ``step`` runs."""
        found = self.placements[name]
        for move in self.moves:
            if name in move.names and step >= move.step:
                found = replace(found, offset=move.target)
        return found
