"""How a network is executed: a list of stages. Plain values; the windows they imply are in ``ops.stage_windows``,
memory offsets in ``ir.memory_plan`` (values) and ``memory`` (how they are found), C in ``codegen``."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Halo(enum.Enum):
    """What happens to the overlap between neighbouring pieces of a tensor inside a fused stage."""

    CACHE = "cache"
    RECOMPUTE = "recompute"


@dataclass(frozen=True, slots=True)
class TensorMode:
    """How one tensor inside a fused stage is held.

    rows CACHE: a line buffer; every row is computed once. rows RECOMPUTE: each band computes all rows it needs.
    cols likewise along the row: CACHE computes every column of a band once, RECOMPUTE all columns a piece needs.
    Where ``patch_w`` covers the whole stage output there is one piece a row and ``cols`` has no meaning.
    """

    rows: Halo = Halo.CACHE
    cols: Halo = Halo.CACHE


RECOMPUTED = TensorMode(Halo.RECOMPUTE, Halo.RECOMPUTE)
CACHED = TensorMode(Halo.CACHE, Halo.CACHE)


@dataclass(frozen=True, slots=True)
class LayerStage:
    """One operator on whole tensors. ``node`` is its index in the graph."""

    node: int


@dataclass(frozen=True, slots=True)
class FusedStage:
    """Nodes ``first``..``last`` (inclusive, contiguous in graph order) run depth-first over pieces of the stage's
    output, which is the only output of node ``last``: rows in bands of ``patch_h``, columns in pieces of ``patch_w``,
    band by band from the top, pieces from the left. Inside a piece the nodes run in graph order.

    ``modes``: the tensors made inside the stage except its output, with how each is held; a tensor not named is
    RECOMPUTED. Tensors from outside the stage and the stage's output are whole. A tensor made inside may be read
    outside too (or be a graph output) if it is cached both ways and the stage needs all of it: it is whole then.
    Where node ``last`` is a global reduction (``Op.accumulates``) the pieces are pieces of its input, each pixel once;
    its scratch holds the sums for the whole stage and its output is written when the stage ends.
    ``slices``: the whole map is made so many times, each time an equal share of its channels (the lowest first), so
    that what is held between the nodes is so many times smaller. Only for chains of a convolution, which reads its
    input once a slice, and operators of which an output channel needs one input channel: ``ops.channel_slices``.
    Which rows and columns a piece computes: ``ops.stage_windows``.
    """

    first: int
    last: int
    patch_h: int
    patch_w: int
    modes: tuple[tuple[str, TensorMode], ...] = ()
    slices: int = 1

    def mode(self, tensor: str) -> TensorMode:
        return dict(self.modes).get(tensor, RECOMPUTED)


Stage = LayerStage | FusedStage


@dataclass(frozen=True, slots=True)
class Schedule:
    """Stages in execution order; together they cover every node once, in graph order.

    ``input_rows``: the caller feeds the graph's only input row by row into a ring; stage 0 is then a FusedStage and the
    only reader of the input.
    """

    stages: tuple[Stage, ...]
    input_rows: bool = False
