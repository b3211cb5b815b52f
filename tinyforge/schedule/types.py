"""The schedule's values, which live in ``ir`` because the interpreter and the memory planner need them too."""

from __future__ import annotations

from tinyforge.ir.schedule import (
    CACHED,
    RECOMPUTED,
    FusedStage,
    Halo,
    LayerStage,
    Schedule,
    Stage,
    TensorMode,
)

__all__ = ["CACHED", "RECOMPUTED", "FusedStage", "Halo", "LayerStage", "Schedule", "Stage", "TensorMode"]
