"""How long inferences took on a board, over all samples of a run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Latency:
    """Of single inferences: least, median, 99th percentile (nearest rank: one that happened), most. ``unit``: cycles,
    or instructions on emulated boards; ``hz``: of the board's counter, 0 for instructions."""

    unit: str
    min: int
    median: int
    p99: int
    max: int
    hz: int

    def milliseconds(self, ticks: int) -> float | None:
        """Time of ``ticks``; None for instructions."""
        return 1000 * ticks / self.hz if self.hz else None

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def latency(values: Sequence[int], hz: int) -> Latency | None:
    """Distribution of ``values``, None without any."""
    if not values:
        return None
    ranked = sorted(values)
    median, p99 = (ranked[math.ceil(part * len(ranked)) - 1] for part in (0.5, 0.99))
    return Latency("cycles" if hz else "instructions", ranked[0], median, p99, ranked[-1], hz)
