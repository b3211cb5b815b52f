"""One search from its data to its points, alone or together with other processes and machines."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyforge.api.progress import Progress
from tinyforge.errors import UsageError
from tinyforge.search.feasibility import BoardLimits
from tinyforge.search.files import load_json, save_json
from tinyforge.search.narrow import Narrowed, narrow
from tinyforge.search.needs import check_installed, check_torch
from tinyforge.search.settings import SETTINGS, Budget, SearchSettings
from tinyforge.search.space_file import parse_space, space_for, space_text
from tinyforge.search.storage import Place, check_url, open_peers, study_place
from tinyforge.target import Board, load_board
from tinyforge.toolchain.cores import cores

if TYPE_CHECKING:
    from tinyforge.search.dataset import Dataset
    from tinyforge.search.evaluate import Evaluator
    from tinyforge.search.judge import Costing
    from tinyforge.search.space import SearchSpace
    from tinyforge.search.start import Start
    from tinyforge.search.study import Pool, Study
    from tinyforge.search.supernet import Supernet

SPACE = "space.json"
AUTO_SPACES = {"image": "images", "spectrogram": "dscnn", "signal": "signals"}
TRAINERS = ("auto", "tensorflow", "torch")
GENTLE = 0.3
"""Learning rate over the usual one where a supernet starts from a trained network."""
LARGE_SIDE = 80
"""Pixels from which the space for large images is taken."""


@dataclass(frozen=True, slots=True)
class Means:
    """What a search runs on, which makes no difference to what it finds.

    storage: URL of the study's database, a file in the folder by default. workers: processes that judge candidates.
    ray: address of a Ray cluster, or ``local``. threads: of TensorFlow in each process. trainer: of finalists, of
    ``TRAINERS``; ``auto`` is PyTorch where it sees a GPU and TensorFlow does not.
    """

    storage: str | None = None
    workers: int = 1
    ray: str | None = None
    threads: int | None = None
    trainer: str = TRAINERS[0]

    def __post_init__(self) -> None:
        if self.trainer not in TRAINERS:
            raise UsageError(f"--trainer {self.trainer} is not known; choose one of: {', '.join(TRAINERS)}")
        if self.workers < 1:
            raise UsageError(f"--workers {self.workers} makes no sense; give 1 or more")
        check_url(self.storage)
        if self.ray is not None and self.workers > 1:
            raise UsageError("--ray and --workers are two ways to judge candidates; give one of them")


def board_limits(settings: SearchSettings, board: Board) -> BoardLimits:
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
        core=board.core.name,
    )


class SearchRun:
    """One study: its data, its space and its parts."""

    def __init__(self, folder: Path, settings: SearchSettings, means: Means, progress: Progress) -> None:
        check_installed()
        self.folder, self.settings, self.means, self.progress = folder, settings, means, progress
        self.budget: Budget = settings.plan
        self._start: Start | None = None
        self._start_accuracy: float | None = None
        self.limits = board_limits(settings, load_board(settings.board))

    def prepare(self, keep: bool) -> tuple[Dataset, Narrowed]:
        """The data, and the part of the space that fits; ``keep`` it in the folder, which becomes a study by that."""
        from tinyforge.api.search_points import lessons_of
        from tinyforge.search.dataset import make_dataset
        from tinyforge.search.folder_files import READING
        from tinyforge.search.sources import load_data

        self.progress(READING)
        data = make_dataset(load_data(self.settings.data, self.settings.test, self.progress), self.settings.seed)
        lessons_of(self.settings, data, self.folder)  # A teacher that does not suit the data is refused at once.
        file = self.folder / SPACE
        if file.is_file():
            return data, _narrowed_from(load_json(file))
        whole = self._whole_space(data)
        classes, s = len(data.classes), self.settings
        narrowed = narrow(whole, data.shape, classes, self.limits, self.budget.sampled, s.seed, self.progress)
        if keep:
            # Not before: what cannot be searched leaves no study behind.
            self.folder.mkdir(parents=True, exist_ok=True)
            save_json(self.folder / SETTINGS, self.settings.as_json())
            save_json(file, _narrowed_json(narrowed))
        return data, narrowed

    def _whole_space(self, data: Dataset) -> SearchSpace:
        start = self.start(data)
        if start is not None:
            return start.space
        name = self._space_name(data)
        return space_for(name, data)

    def start(self, data: Dataset) -> Start | None:
        """The network of ``--from``, read once; None without it."""
        if self.settings.base is not None and self._start is None:
            from tinyforge.search.start import read_start

            self.progress(f"reading {self.settings.base}")
            self._start = read_start(Path(self.settings.base), data)
        return self._start

    def around(self, data: Dataset) -> dict[str, Any] | None:
        """The network of ``--from``: in what the space's networks differ from it, and its accuracy on the validation
        split as the space has it, once the supernet has begun. None without it."""
        start = self.start(data)
        if start is None:
            return None
        return {
            "model": str(self.settings.base),
            "differences": list(start.differences),
            "accuracy": self._start_accuracy,
        }

    def _space_name(self, data: Dataset) -> str:
        if self.settings.space != "auto":
            return self.settings.space
        if data.kind == "image" and max(data.shape[:2]) >= LARGE_SIDE:
            return "mcunet"
        if data.kind == "image" and self.settings.budget == "quick":
            return "tiny"
        return AUTO_SPACES[data.kind]

    def train(self, data: Dataset, narrowed: Narrowed, place: Place) -> Supernet:
        """The trained supernet. One process trains; others that share the folder wait for it and load what it made."""
        from tinyforge.search.backend import tensorflow
        from tinyforge.search.recipes import Recipe
        from tinyforge.search.supernet import Supernet
        from tinyforge.search.train import CHECKPOINT, Trainer

        self.progress("starting TensorFlow")
        tensorflow(self.means.threads)
        net = Supernet(narrowed.space, data.shape, len(data.classes), self.settings.seed)
        epochs = self.budget.epochs(data, self.budget.steps)
        recipe = Recipe(epochs, self.budget.batch, self.settings.recipe, augment=self.settings.augment)
        start = self.start(data)
        if start is not None:
            from tinyforge.search.start import begin_from

            self._start_accuracy = round(begin_from(start, net, data, self.settings.seed), 6)
            # Its channels are sorted, and large steps would lose what it has learnt.
            recipe = replace(recipe, first=0.0, rate=recipe.rate * GENTLE)
        with open_peers(place) as peers, peers.lead("train"):
            Trainer(net, data, recipe, self.settings.seed).run(self.folder / CHECKPOINT, self.progress)
        return net

    def study(self, data: Dataset, narrowed: Narrowed, net: Supernet, place: Place) -> tuple[Study, Evaluator]:
        """The study, finished."""
        from tinyforge.search.evaluate import Evaluator
        from tinyforge.search.judge import Costing
        from tinyforge.search.propose import Plan
        from tinyforge.search.study import Study

        settings, budget = self.settings, self.budget
        predicts = settings.predictor == "auto"
        plan = Plan(budget.evaluations, settings.objectives, budget.population, settings.seed, predicts)
        study = Study(narrowed.space, self.limits, plan, place)
        judge = Evaluator(net, data, settings.seed, budget.calibration, budget.held)
        costing = Costing(narrowed.space, data, self.limits)
        warm = self._warm(data, narrowed) if settings.warm_up == "proxy" else None
        with self._pool(costing, judge) as pool:
            study.run(costing.first, pool, self.progress, warm)
        return study, judge

    def _warm(self, data: Dataset, narrowed: Narrowed) -> Any:
        from tinyforge.search.architecture import architecture
        from tinyforge.search.proxy import UntrainedScore

        score, classes = UntrainedScore(data, self.settings.seed), len(data.classes)
        return lambda candidate: score(architecture(narrowed.space, candidate, data.shape, classes))

    @contextmanager
    def _pool(self, costing: Costing, judge: Evaluator) -> Iterator[Pool]:
        """Where candidates are judged: here, here and in other processes, or on a Ray cluster."""
        from tinyforge.search.study import HerePool

        if self.means.ray is None:
            with self._workers():
                yield HerePool(costing.judge(judge.accuracy))
            return
        from tinyforge.search.judge import JudgeMaker
        from tinyforge.search.ray_pool import RayPool

        weights = {name: variable.numpy() for name, variable in judge.net.variables.items()}
        maker = JudgeMaker(costing, weights, self.settings.seed, self.budget.calibration, self.budget.held)
        pool = RayPool(self.means.ray, maker)
        try:
            yield pool
        finally:
            pool.close()

    @contextmanager
    def _workers(self) -> Iterator[None]:
        """The other processes of ``--workers``; they end with the study."""
        words = ["search", "--resume", str(self.folder), "--worker"]
        words += ["--storage", self.means.storage] if self.means.storage else []
        threads = self.means.threads or max(1, cores() // self.means.workers)
        words += ["--jobs", str(threads)]
        command = [sys.executable, "-m", "tinyforge", *words]
        others = []
        for number in range(1, self.means.workers):
            with (self.folder / f"worker{number}.log").open("ab") as log:
                others.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        try:
            yield
            for process in others:
                process.wait()
        finally:
            for process in others:
                process.kill()
                process.wait()

    @property
    def together(self) -> bool:
        """Whether finalists are trained by PyTorch, all at once."""
        from tinyforge.search.backend import sees_gpu
        from tinyforge.search.torch_trainer import has_gpu

        return self.means.trainer == "torch" or (self.means.trainer == "auto" and has_gpu() and not sees_gpu())

    def check_trainer(self) -> None:
        """Raises ToolMissing or UsageError where finalists cannot be trained here as asked for: before the hours that
        come first."""
        if self.means.trainer == "torch":
            check_torch()
        if self.settings.teacher is not None and not self.together:
            raise UsageError(
                "--teacher needs finalists trained by PyTorch: on a GPU that it sees, or with --trainer torch on the "
                "CPU, slowly; or leave --teacher out"
            )

    def work(self) -> None:
        """Judge candidates of a study that another process conducts, until it is finished."""
        place = study_place(self.folder, self.means.storage, self.means.workers)
        data, narrowed = self.prepare(keep=True)
        self.study(data, narrowed, self.train(data, narrowed, place), place)


def _narrowed_json(narrowed: Narrowed) -> dict[str, Any]:
    return {
        "space": space_text(narrowed.space),
        "fitting": narrowed.fitting,
        "sampled": narrowed.sampled,
        "macs": list(narrowed.macs),
    }


def _narrowed_from(values: dict[str, Any]) -> Narrowed:
    before, after = values["macs"]
    space = parse_space(values["space"], SPACE)
    return Narrowed(space, int(values["fitting"]), int(values["sampled"]), (int(before), int(after)))
