"""``tinyforge.search``: from data and a board to networks that fit, compiled and measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyforge.api.progress import Progress, quiet
from tinyforge.api.search_run import Means, SearchRun
from tinyforge.errors import UsageError
from tinyforge.search.files import load_json, save_json
from tinyforge.search.forecast import forecast
from tinyforge.search.narrow import Narrowed
from tinyforge.search.settings import SETTINGS, SearchSettings, settings_from
from tinyforge.search.storage import open_peers, study_place

if TYPE_CHECKING:
    from tinyforge.api.search_points import Point
    from tinyforge.search.dataset import Dataset
    from tinyforge.search.evaluate import Evaluator
    from tinyforge.search.study import Study

FRONT, TRIALS, PAGE = "front.json", "trials.json", "index.html"


@dataclass(frozen=True, slots=True, eq=False)
class SearchResult:
    """points: the finalists, the most accurate first. trials: candidates looked at; judged: of those, the ones the
    supernet evaluated. correlation: of the predictor that chose among candidates, None where none did. around: the
    network of ``--from``, as the space has it. Empty points and no trials for a dry run."""

    folder: Path
    settings: SearchSettings
    narrowed: Narrowed
    forecast: dict[str, Any]
    around: dict[str, Any] | None = None
    points: tuple[Point, ...] = ()
    trials: int = 0
    judged: int = 0
    correlation: float | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "study": str(self.folder),
            "space": self.narrowed.space.name,
            "from": self.around,
            "forecast": self.forecast,
            "trials": self.trials,
            "judged": self.judged,
            "predictor_correlation": self.correlation,
            "front": [point.as_json() for point in self.points],
        }


def search(
    settings: SearchSettings,
    *,
    means: Means | None = None,
    dry_run: bool = False,
    out: str | Path | None = None,
    progress: Progress = quiet,
) -> SearchResult:
    """Search networks by ``settings`` and compile the best into the study folder ``out``.

    means: processes, storage and threads. Raises ToolMissing without TensorFlow and Optuna, DoesNotFit where no network
    keeps the limits, UsageError for unusable data.
    """
    folder = Path(out) if out is not None else Path("out") / f"search-{Path(settings.data).stem}"
    if not dry_run:
        check_folder(folder, settings)
    return _search(SearchRun(folder, settings, means or Means(), progress), dry_run)


def resume(
    folder: str | Path, *, means: Means | None = None, worker: bool = False, progress: Progress = quiet
) -> SearchResult | None:
    """Continue the study in ``folder`` from where it was left, or join the processes that work on it.

    worker: only judge candidates, and return None when there are no more. Raises UsageError where there is no study.
    """
    path = Path(folder)
    if not (path / SETTINGS).is_file():
        raise UsageError(f"{path} holds no study ({SETTINGS} is not there); give the folder of --out of a search")
    run = SearchRun(path, settings_from(load_json(path / SETTINGS)), means or Means(), progress)
    if worker:
        run.work()
        return None
    return _search(run, False)


def check_folder(folder: Path, settings: SearchSettings) -> None:
    """A study of the same settings is continued. Raises UsageError for a folder that holds anything else."""
    path = folder / SETTINGS
    if path.is_file():
        if settings_from(load_json(path)) != settings:
            raise UsageError(f"{folder} holds a study with other options; use --resume {folder}, or another --out")
        return
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} exists and holds no study; give another --out")


def _search(run: SearchRun, dry_run: bool) -> SearchResult:
    run.check_trainer()
    data, narrowed = run.prepare(keep=not dry_run)
    expected = forecast(data, run.budget, narrowed)
    if dry_run:
        return SearchResult(run.folder, run.settings, narrowed, expected, run.around(data))
    place = study_place(run.folder, run.means.storage, run.means.workers)
    study, judge = run.study(data, narrowed, run.train(data, narrowed, place), place)
    with open_peers(place) as peers, peers.lead("finals"):
        points = _finals(run, data, narrowed, study, judge)
    trials = study.trials()
    judged = sum(trial.accuracy is not None for trial in trials)
    found = (tuple(points), len(trials), judged, study.correlation())
    return SearchResult(run.folder, run.settings, narrowed, expected, run.around(data), *found)


def _finals(run: SearchRun, data: Dataset, narrowed: Narrowed, study: Study, judge: Evaluator) -> list[Point]:
    """The points of a finished study, and the files about it."""
    from tinyforge.api.search_points import Finals
    from tinyforge.search.page import study_page

    trials, folder, settings = study.trials(), run.folder, run.settings
    facts = {"predictor_correlation": study.correlation(), "trials": [trial.as_json() for trial in trials]}
    save_json(folder / TRIALS, facts)
    chosen = study.finalists(run.budget.finalists)
    parts = (run.budget, data, narrowed.space, judge, run.progress, run.together, run.means.threads)
    points = Finals(folder, settings, *parts).make(chosen)
    save_json(folder / FRONT, {"points": [point.as_json() for point in points]})
    page = study_page(data.name, settings.board, narrowed.space.name, trials, [point.facts for point in points])
    (folder / PAGE).write_text(page, encoding="utf-8")
    return points
