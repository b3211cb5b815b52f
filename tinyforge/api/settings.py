"""Options of ``compile``, checked once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyforge.errors import UsageError
from tinyforge.schedule.options import Options
from tinyforge.target import Board, load_board, parse_size

CHOICES = {
    "objective": ("balanced", "sram", "latency", "size"),
    "input": ("whole", "rows"),
    "schedule": ("auto", "layerwise", "patch", "stream", "msf"),
    "io": ("int8", "float"),
    "toolchain": ("zig", "gcc"),
}
LEVELS = ("O1", "O2", "O3", "Os", "Oz")


@dataclass(frozen=True, slots=True)
class CompileSettings:
    """How a model is compiled. ``sram`` and ``flash``: limits in bytes, None for what the board has.
    ``max_mac_factor``: executed MACs over the network's own, None for no limit; ``max_cycle_factor``: estimated cycles
    over those of layer by layer, None for what the objective takes. ``optimize``: level of the C compiler, None for
    what the objective asks for."""

    board: str
    sram: int | None = None
    flash: int | None = None
    max_mac_factor: float | None = None
    max_cycle_factor: float | None = None
    objective: str = "balanced"
    input: str = "whole"
    schedule: str = "auto"
    io: str = "int8"
    toolchain: str = "zig"
    optimize: str | None = None

    def __post_init__(self) -> None:
        for field, allowed in CHOICES.items():
            value = getattr(self, field)
            if value not in allowed:
                raise UsageError(f"--{field} {value} is not known; choose one of: {', '.join(allowed)}")
        if self.optimize not in (None, *LEVELS):
            raise UsageError(f"-{self.optimize} is no level of optimisation; choose one of: {', '.join(LEVELS)}")
        factor = self.max_mac_factor
        if factor is not None and not (math.isfinite(factor) and factor >= 1.0):
            raise UsageError(f"--max-mac-factor {factor} makes no sense; 1.0 allows no recomputation, 1.3 allows 30 %")
        factor = self.max_cycle_factor
        if factor is not None and not (math.isfinite(factor) and factor >= 1.0):
            raise UsageError(f"--max-cycle-factor {factor} makes no sense; 1.0 is as fast as layer by layer")

    def load_board(self) -> Board:
        """The board, whole. Raises UsageError where it is unknown or smaller than a limit."""
        board = load_board(self.board)
        board.with_limits(self.sram, self.flash)
        return board

    def wishes(self, board: Board) -> Options:
        """What the scheduler is asked for ``board``."""
        return Options(
            # Code size is the C compiler's business; the schedule is that of balanced.
            "balanced" if self.objective == "size" else self.objective,
            self.schedule,
            self.max_mac_factor,
            self.input,
            max_cycle_factor=self.max_cycle_factor,
            simd=board.core.simd,
        )

    def as_json(self) -> dict[str, Any]:
        """The options that determine the build, as ``options`` of its build info."""
        return {
            "sram": self.sram,
            "flash": self.flash,
            "max_mac_factor": self.max_mac_factor,
            "max_cycle_factor": self.max_cycle_factor,
            "objective": self.objective,
            "input": self.input,
            "schedule": self.schedule,
            "io": self.io,
            "toolchain": self.toolchain,
            "optimize": self.optimize,
        }


def size_option(value: str | int | None) -> int | None:
    """``64K`` -> 65536."""
    return None if value is None else parse_size(value)


def existing_file(path: str | Path) -> Path:
    """The path of a file that exists; UsageError else."""
    found = Path(path)
    if not found.is_file():
        what = "is a folder" if found.is_dir() else "does not exist"
        raise UsageError(f"{found} {what}; give the path of a .tflite file")
    return found
