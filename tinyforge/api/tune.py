"""``tinyforge compile --tune``: builds candidates, measures them on the emulator, keeps the best.

The scheduler's estimate decides between thousands of schedules; near its optimum several lie within its error. So the
best schedules under tighter SRAM limits, and layer by layer, are built and run once each, then the best of them with
other optimisation levels. A measurement is kept on disk under the digest of everything it depends on: an interrupted
tuning goes on where it stopped, and the same question is not measured twice.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tinyforge import __version__
from tinyforge.api.compile import CompileResult, compile
from tinyforge.api.edges import random_inputs
from tinyforge.api.network import read_network
from tinyforge.api.progress import Progress, quiet
from tinyforge.api.settings import existing_file, size_option
from tinyforge.errors import DoesNotFit, UsageError
from tinyforge.paths import cache_dir
from tinyforge.target import Board, load_board

SHARES = (1.0, 0.85, 0.7)  # of the SRAM limit
LEVELS = ("O3", "Os")  # beside the default


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is varied: ``schedule`` and ``sram`` as options of compile, ``optimize``: level of the C compiler."""

    schedule: str
    sram: int | None
    optimize: str | None = None

    def __str__(self) -> str:
        limit = f" in {self.sram:,} B" if self.sram is not None else ""
        return f"{self.schedule}{limit} -{self.optimize or 'O2'}"


@dataclass(frozen=True, slots=True)
class Trial:
    """A candidate and what one inference of it costs: estimated cycles of the board's core, or instructions where its
    timing is not modelled. ``code_bytes``: of the model."""

    candidate: Candidate
    cost: int
    code_bytes: int
    arena_bytes: int


@dataclass(frozen=True, slots=True, eq=False)
class TuneResult:
    """The build that was best, and everything that was tried, in order; the first is what compile would have made."""

    build: CompileResult
    trials: tuple[Trial, ...]
    best: Trial

    def as_json(self) -> dict[str, Any]:
        """The build's object, and every trial."""
        tried = [{"what": str(t.candidate), "cost": t.cost, "code_bytes": t.code_bytes} for t in self.trials]
        return {**self.build.as_json(), "tuned": {"best": str(self.best.candidate), "trials": tried}}


def tune(model: str | Path, *, progress: Progress = quiet, **options: Any) -> TuneResult:
    """Compile ``model`` with the best of the candidates; ``options`` are those of ``compile``.

    Objectives keep their meaning: ``size`` looks at code, ``sram`` only at candidates that need no more SRAM.
    Raises what ``compile`` raises, and UsageError for a board whose instructions the emulator does not count.
    """
    board = load_board(options.get("board", "emulated_m7"))
    if not board.core.unicorn_model or board.bsp_dir is None:
        raise UsageError(f"--tune needs a board whose core the emulator runs; {board.name} is none: tinyforge boards")
    objective = str(options.get("objective", "balanced"))
    tuner = _Tuner(existing_file(model), board, options, progress)
    trials = list(tuner.trials(_schedules(options)))
    best = _best(trials, objective)
    trials += tuner.trials(replace(best.candidate, optimize=level) for level in LEVELS)
    best = _best(trials, objective)
    progress("writing the best")
    built = compile(model, progress=progress, **{**options, **_varied(best.candidate)})
    return TuneResult(built, tuple(trials), best)


def _schedules(options: Mapping[str, Any]) -> Iterator[Candidate]:
    limit = size_option(options.get("sram"))
    schedule = str(options.get("schedule", "auto"))
    yield Candidate(schedule, limit)
    if limit is not None and schedule == "auto" and options.get("objective", "balanced") in ("balanced", "latency"):
        yield from (Candidate(schedule, int(limit * share)) for share in SHARES[1:])
        if options.get("input_mode", "whole") == "whole":
            yield Candidate("layerwise", limit)


def _varied(candidate: Candidate) -> dict[str, Any]:
    return {"schedule": candidate.schedule, "sram": candidate.sram, "optimize": candidate.optimize}


def _best(trials: list[Trial], objective: str) -> Trial:
    """The first of the cheapest, so that nothing changes without a gain."""
    first = trials[0]
    allowed = [t for t in trials if objective != "sram" or t.arena_bytes <= first.arena_bytes]
    return min(allowed, key=lambda t: t.code_bytes if objective == "size" else t.cost)


class _Tuner:
    """Builds and measures candidates of one model."""

    def __init__(self, model: Path, board: Board, options: Mapping[str, Any], progress: Progress) -> None:
        self.model, self.board, self.options, self.progress = model, board, options, progress
        self.inputs = random_inputs(read_network(model, str(options.get("io", "int8"))).graph, 1, 0)

    def trials(self, candidates: Iterator[Candidate]) -> Iterator[Trial]:
        """Candidates that fit; the first must."""
        for i, candidate in enumerate(candidates):
            self.progress(f"tuning: {candidate}")
            try:
                yield self._trial(candidate)
            except DoesNotFit:
                if i == 0:
                    raise

    def _trial(self, candidate: Candidate) -> Trial:
        with tempfile.TemporaryDirectory(prefix="tinyforge.") as folder:
            given = {**self.options, **_varied(candidate), "dump": False, "out": Path(folder) / "build"}
            built = compile(self.model, **given)
            path = cache_dir() / "tune" / f"{_digest(built.out, candidate)}.json"
            cost = _kept(path)
            if cost is None:
                cost = self._measure(built.out)
                _keep(path, cost)
            return Trial(candidate, cost, built.info.flash.code, built.info.arena_bytes)

    def _measure(self, build: Path) -> int:
        from tinyforge.device.emulate.run import run_emulator
        from tinyforge.toolchain.firmware import build_firmware

        firmware = build_firmware(build, self.board, str(self.options.get("toolchain", "zig")))
        result = run_emulator(firmware, self.inputs, check_memory=False)
        return result.estimated_cycles.get(self.board.core.name, result.instructions)


def _digest(build: Path, candidate: Candidate) -> str:
    """Of all C of the build (its header names compiler and level), the board and this version."""
    digest = hashlib.sha256(f"{__version__} {candidate.optimize}".encode())
    for path in sorted(build.iterdir()):
        if path.suffix in (".c", ".h"):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:32]


def _kept(path: Path) -> int | None:
    try:
        cost = json.loads(path.read_text(encoding="utf-8"))["cost"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return cost if isinstance(cost, int) and cost > 0 else None


def _keep(path: Path, cost: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(json.dumps({"cost": cost}), encoding="utf-8")
    os.replace(fresh, path)
