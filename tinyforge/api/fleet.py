"""One build on several boards at the same time, every sample on each of them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyforge.api.own_board import compiled_for
from tinyforge.api.progress import Progress, quiet
from tinyforge.api.run import BuildRun, RunReport, Samples, Target, check_request
from tinyforge.codegen.build_info import load_build_info
from tinyforge.errors import DeviceError, ToolMissing, UsageError
from tinyforge.ir.types import Array


@dataclass(frozen=True, slots=True)
class Place:
    """A board, and the serial port it is at (None: the emulated one)."""

    board: str
    port: str | None = None

    def __str__(self) -> str:
        return f"{self.board} at {self.port}" if self.port else self.board


@dataclass(frozen=True, slots=True, eq=False)
class PlaceReport:
    """What came of one board: a report, or the error that ended its run."""

    place: Place
    report: RunReport | None
    error: str

    @property
    def explanation(self) -> str:
        """What is wrong, empty where nothing is."""
        return self.error or (self.report.explanation if self.report else "")

    def as_json(self) -> dict[str, Any]:
        shown = self.report.as_json() if self.report else {}
        return {**shown, "board": self.place.board, "port": self.place.port, "error": self.error}


@dataclass(frozen=True, slots=True, eq=False)
class FleetReport:
    """One entry a board, in the order they were named."""

    places: tuple[PlaceReport, ...]

    @property
    def failed(self) -> tuple[PlaceReport, ...]:
        """Boards whose run did not come to its end."""
        return tuple(place for place in self.places if place.error)

    @property
    def ok(self) -> bool:
        """Whether all boards ran, and every output of each is equal."""
        return not any(place.explanation for place in self.places)

    def as_json(self) -> dict[str, Any]:
        return {"boards": [place.as_json() for place in self.places]}


def pair(boards: Sequence[str], ports: Sequence[str], default: str) -> list[Place]:
    """Boards and ports as they were named: one board at every port, or as many boards as ports, in the same order.

    default: the board where none is named. Raises UsageError for other numbers, and for a port named twice.
    """
    if len(set(ports)) != len(ports):
        raise UsageError("a port is named twice; every board needs a port of its own")
    if len(boards) <= 1:
        board = boards[0] if boards else default
        return [Place(board, port) for port in ports] or [Place(board)]
    if len(ports) not in (0, len(boards)):
        raise UsageError(f"{len(boards)} boards, {len(ports)} ports: give one --port for each --board, in their order")
    named = ports or (None,) * len(boards)
    return [Place(board, port) for board, port in zip(boards, named, strict=True)]


def run_boards(
    build: str | Path,
    places: Sequence[Place],
    emulator: str | None = None,
    inputs: str | Path | Sequence[Array] | None = None,
    reference: str | Path | None = None,
    samples: int | None = None,
    *,
    seed: int = 0,
    profile: bool = False,
    resume: bool = False,
    progress: Progress = quiet,
) -> FleetReport:
    """Run the build folder ``build``, flashed before, on all ``places`` at once; options as those of ``tinyforge.run``.

    A board that fails (silent, unplugged, another model) ends its own run only: the report says why. ``resume`` goes on
    with what each board did not do. Raises UsageError for what makes no sense.
    """
    check_request(build, "board", emulator, samples, resume)
    if Path(build).is_file():
        raise UsageError("several boards run a build folder that was flashed to each: tinyforge flash OUT --board NAME")
    run = BuildRun(Path(build), quiet)
    given = run.samples(inputs, reference, samples, seed)
    tell = _Total(progress, len(places))

    def one(number: int) -> PlaceReport:
        place = places[number]
        target = Target("board", place.board, emulator, "zig", place.port, profile, number, resume)
        return _at(BuildRun(Path(build), tell.of(number)), place, target, given)

    with ThreadPoolExecutor(len(places)) as pool:
        return FleetReport(tuple(pool.map(one, range(len(places)))))


def _at(run: BuildRun, place: Place, target: Target, given: Samples) -> PlaceReport:
    try:
        result, firmware = run.execute(target, given.inputs)
        return PlaceReport(place, run.judge(target, result, firmware, given), "")
    except (DeviceError, ToolMissing) as error:
        return PlaceReport(place, None, str(error))


class _Total:
    """Progress of all boards together: they run in threads of their own."""

    def __init__(self, progress: Progress, boards: int) -> None:
        self._progress, self._boards = progress, boards
        self._lock = threading.Lock()
        self._done: dict[int, int] = {}

    def of(self, number: int) -> Progress:
        """The Progress of one board."""

        def tell(what: str, done: int = 0, total: int = 0) -> None:
            del what
            if total:
                with self._lock:
                    self._done[number] = done
                    self._progress(f"samples on {self._boards} boards", sum(self._done.values()), total * self._boards)

        return tell


def default_board(build: str | Path) -> str:
    """The board a build folder was compiled for."""
    return compiled_for(Path(build), load_build_info(Path(build)))
