"""``tinyforge.search``: from data and a board to networks that fit, compiled and measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyforge.api.progress import Progress, quiet
from tinyforge.errors import UsageError
from tinyforge.search.feasibility import BoardLimits, checked_cost
from tinyforge.search.files import load_json, save_json
from tinyforge.search.narrow import Narrowed, narrow
from tinyforge.search.needs import check_installed
from tinyforge.search.settings import SETTINGS, Budget, SearchSettings, settings_from
from tinyforge.target import Board, load_board

if TYPE_CHECKING:
    from tinyforge.api.search_points import Point
    from tinyforge.search.dataset import Dataset
    from tinyforge.search.space import Candidate

FRONT, TRIALS, PAGE = "front.json", "trials.json", "index.html"
AUTO_SPACES = {"image": "images", "spectrogram": "dscnn", "signal": "signals"}
LARGE_SIDE = 80
"""Pixels from which the space for large images is taken."""


@dataclass(frozen=True, slots=True, eq=False)
class SearchResult:
    """points: the finalists, the most accurate first. trials: candidates looked at; judged: of those, the ones the
    supernet evaluated. Empty points and no trials for a dry run."""

    folder: Path
    settings: SearchSettings
    narrowed: Narrowed
    forecast: dict[str, Any]
    points: tuple[Point, ...] = ()
    trials: int = 0
    judged: int = 0

    def as_json(self) -> dict[str, Any]:
        return {
            "study": str(self.folder),
            "space": self.narrowed.space.name,
            "forecast": self.forecast,
            "trials": self.trials,
            "judged": self.judged,
            "front": [point.as_json() for point in self.points],
        }


def search(
    settings: SearchSettings,
    *,
    storage: str | None = None,
    threads: int | None = None,
    dry_run: bool = False,
    out: str | Path | None = None,
    progress: Progress = quiet,
) -> SearchResult:
    """Search networks by ``settings`` and compile the best into the study folder ``out``.

    storage: URL of the study's database, a file in the folder by default. threads: of TensorFlow. Raises ToolMissing
    without TensorFlow and Optuna, DoesNotFit where no network keeps the limits, UsageError for unusable data.
    """
    folder = Path(out) if out is not None else Path("out") / f"search-{Path(settings.data).stem}"
    if not dry_run:
        _claim(folder, settings)
    return _Search(folder, settings, storage, threads, progress).run(dry_run)


def resume(
    folder: str | Path, *, storage: str | None = None, threads: int | None = None, progress: Progress = quiet
) -> SearchResult:
    """Continue the study in ``folder`` from where it was left. Raises UsageError where there is none."""
    path = Path(folder)
    if not (path / SETTINGS).is_file():
        raise UsageError(f"{path} holds no study ({SETTINGS} is not there); give the folder of --out of a search")
    return _Search(path, settings_from(load_json(path / SETTINGS)), storage, threads, progress).run(False)


def _claim(folder: Path, settings: SearchSettings) -> None:
    """Make the study's folder; one of the same settings is continued."""
    path = folder / SETTINGS
    if path.is_file():
        if load_json(path) != settings.as_json():
            raise UsageError(f"{folder} holds a study with other options; use --resume {folder}, or another --out")
        return
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} exists and holds no study; give another --out")
    folder.mkdir(parents=True, exist_ok=True)
    save_json(path, settings.as_json())


def arena_limits(settings: SearchSettings, board: Board) -> BoardLimits:
    """The limits of ``settings`` on ``board``, whole board where none are given."""
    board.with_limits(settings.sram, settings.flash)
    room = max(1, board.banks[0].size - board.firmware_sram_bytes)
    return BoardLimits(
        arena_bytes=settings.sram if settings.sram is not None else room,
        flash_bytes=settings.flash if settings.flash is not None else board.flash_bytes,
        executed_macs=settings.macs,
        estimated_cycles=settings.cycles,
        schedule=settings.schedule,
        input=settings.input,
        max_mac_factor=settings.max_mac_factor,
    )


class _Search:
    """One study: its data, its space and its parts."""

    def __init__(
        self, folder: Path, settings: SearchSettings, storage: str | None, threads: int | None, progress: Progress
    ) -> None:
        check_installed()
        self.folder, self.settings, self.storage, self.progress = folder, settings, storage, progress
        self.threads = threads
        self.budget: Budget = settings.plan
        self.limits = arena_limits(settings, load_board(settings.board))

    def run(self, dry_run: bool) -> SearchResult:
        from tinyforge.search.dataset import make_dataset
        from tinyforge.search.sources import load_data
        from tinyforge.search.space_file import load_space

        self.progress("reading the data")
        data = make_dataset(load_data(self.settings.data, self.settings.test), self.settings.seed)
        name = self._space_name(data)
        whole = load_space(name).for_data(data.shape)
        if whole.dims != data.dims:
            raise UsageError(f"space {name} is for data of {whole.dims} dimensions, {data.name} has {data.dims}")
        narrowed = narrow(
            whole,
            data.shape,
            len(data.classes),
            self.limits,
            self.budget.sampled,
            self.settings.seed,
            self.progress,
        )
        forecast = self._forecast(data, narrowed)
        if dry_run:
            return SearchResult(self.folder, self.settings, narrowed, forecast)
        return self._train_and_search(data, narrowed, forecast)

    def _space_name(self, data: Dataset) -> str:
        if self.settings.space != "auto":
            return self.settings.space
        if data.kind == "image" and max(data.shape[:2]) >= LARGE_SIDE:
            return "mcunet"
        if data.kind == "image" and self.settings.budget == "quick":
            return "tiny"
        return AUTO_SPACES[data.kind]

    def _forecast(self, data: Dataset, narrowed: Narrowed) -> dict[str, Any]:
        """What will be done, and the work in it."""
        epochs = self.budget.epochs(data, self.budget.steps)
        samples = epochs * len(data.train)
        # A step trains four networks, of half the largest one's size in the mean; backward is twice forward.
        training = 3 * samples * 4 * narrowed.macs[1] // 2
        return {
            "data": data.name,
            "train": len(data.train),
            "validation": len(data.validation),
            "test": len(data.test),
            "networks": narrowed.space.size,
            "fitting": narrowed.fitting,
            "sampled": narrowed.sampled,
            "largest_macs": narrowed.macs[1],
            "epochs": epochs,
            "training_macs": training,
            "evaluations": self.budget.evaluations,
            "finalists": self.budget.finalists,
            "expect": self.budget.hours,
        }

    def _train_and_search(self, data: Dataset, narrowed: Narrowed, forecast: dict[str, Any]) -> SearchResult:
        from tinyforge.api.search_points import Finals
        from tinyforge.search.backend import tensorflow
        from tinyforge.search.evaluate import Evaluator
        from tinyforge.search.page import study_page
        from tinyforge.search.study import Plan, Study, open_storage, spread, storage_url
        from tinyforge.search.supernet import Supernet
        from tinyforge.search.train import Recipe, Trainer

        settings, budget = self.settings, self.budget
        self.progress("starting TensorFlow")
        tensorflow(self.threads)
        net = Supernet(narrowed.space, data.shape, len(data.classes), settings.seed)
        recipe = Recipe(budget.epochs(data, budget.steps), budget.batch, augment=settings.augment)
        Trainer(net, data, recipe, settings.seed).run(self.folder, self.progress)
        plan = Plan(budget.evaluations, settings.objectives, budget.population, settings.seed)
        url = self.storage or storage_url(self.folder, 1)
        study = Study(narrowed.space, self.limits, plan, open_storage(url))
        judge = Evaluator(net, data, settings.seed, budget.calibration, budget.held)
        study.run(lambda c: self._cost(narrowed, data, c), judge.accuracy, self.progress)
        trials = study.trials()
        save_json(self.folder / TRIALS, {"trials": [trial.as_json() for trial in trials]})
        chosen = spread(study.front(), budget.finalists)
        points = Finals(self.folder, settings, budget, data, narrowed.space, judge, self.progress).make(chosen)
        save_json(self.folder / FRONT, {"points": [point.as_json() for point in points]})
        page = study_page(data.name, settings.board, narrowed.space.name, trials, [point.facts for point in points])
        (self.folder / PAGE).write_text(page, encoding="utf-8")
        judged = len({t.candidate for t in trials if t.accuracy is not None})
        return SearchResult(self.folder, settings, narrowed, forecast, tuple(points), len(trials), judged)

    def _cost(self, narrowed: Narrowed, data: Dataset, candidate: Candidate) -> Any:
        from tinyforge.search.architecture import architecture

        return checked_cost(architecture(narrowed.space, candidate, data.shape, len(data.classes)), self.limits)
