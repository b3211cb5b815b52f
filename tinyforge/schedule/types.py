"""How a network is executed: a list of stages. Plain values; memory offsets are in ``memory``, C in ``codegen``."""

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

    rows CACHE: a line buffer; every row is computed once. rows RECOMPUTE: each piece computes all rows it needs.
    cols likewise along the row. A full-width band has cols CACHE (nothing to recompute).
    """

    rows: Halo
    cols: Halo


@dataclass(frozen=True, slots=True)
class LayerStage:
    """One operator on whole tensors. ``node`` is its index in the graph."""

    node: int


@dataclass(frozen=True, slots=True)
class FusedStage:
    """Operators ``first``..``last`` (inclusive, contiguous in graph order) run depth-first over pieces of the last
    one's output: rows in bands of ``patch_h``, columns in pieces of ``patch_w``. ``modes`` has one entry per tensor
    made inside the stage, except the stage's output, which is whole."""

    first: int
    last: int
    patch_h: int
    patch_w: int
    modes: tuple[tuple[str, TensorMode], ...]

    def mode(self, tensor: str) -> TensorMode | None:
        return dict(self.modes).get(tensor)


Stage = LayerStage | FusedStage


@dataclass(frozen=True, slots=True)
class Schedule:
    """Stages in execution order; together they cover every node once, in graph order."""

    stages: tuple[Stage, ...]
