"""Fused stages: the driver's loops and window recursion as lines of C."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tinyforge.ir.graph import Graph
from tinyforge.schedule.types import FusedStage


@dataclass(frozen=True, slots=True)
class StageFunction:
    """The driver of a fused stage."""

    symbol: str
    title: str
    windows: int
    cached: bool
    height: int
    width: int
    patch_h: int
    patch_w: int
    backward: tuple[str, ...]
    forward: tuple[str, ...]
    window_of: Mapping[str, int]


def stage_function(graph: Graph, stage: FusedStage, symbol: str, calls: Sequence[str]) -> StageFunction:
    raise NotImplementedError
