"""The finalists of a search: trained on, quantised, compiled, run, and put into folders of their own."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyforge.api.compile import CompileResult, compile
from tinyforge.api.progress import Progress
from tinyforge.api.run import RunReport, run
from tinyforge.errors import DeviceError, DoesNotFit
from tinyforge.search.files import load_json, save_json
from tinyforge.search.settings import REFIT_TIMES, Budget, SearchSettings

if TYPE_CHECKING:
    from tinyforge.ir.types import Array
    from tinyforge.search.architecture import Architecture
    from tinyforge.search.dataset import Dataset, Samples
    from tinyforge.search.evaluate import Evaluator
    from tinyforge.search.finalist import Finalist
    from tinyforge.search.recipes import Recipe
    from tinyforge.search.space import SearchSpace
    from tinyforge.search.torch_trainer import Lessons
    from tinyforge.search.trial import Trial

POINT, MODEL, UNFINISHED, TRAINED = "point.json", "model.tflite", "training.npz", "trained.npz"
TEACHER = "teacher.npz"
FINE_RATE = 4e-3
"""Highest learning rate of a finalist."""


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """A finished network; ``facts`` is what its ``point.json`` holds, ``folder`` has the model and the C."""

    folder: Path
    facts: dict[str, Any]

    @property
    def accuracy(self) -> float:
        """Of the C code on the validation split."""
        return float(self.facts["accuracy"])

    def right(self) -> Array:
        """Which validation samples it gets right, (n,) bool."""
        from tinyforge.search.finalist import right_answers

        with np.load(self.folder / _samples_file("validation")) as kept:
            return right_answers(kept["output_0"], kept["labels"])

    def as_json(self) -> dict[str, Any]:
        return {"folder": str(self.folder), **self.facts}


def _samples_file(split: str) -> str:
    """In a point's folder: int8 inputs, the reference's outputs and the labels of a split."""
    return f"{split}.npz"


def _refit_facts(decided: Point) -> dict[str, Any]:
    """What a refit point's ``point.json`` has from the point it was decided by: accuracies on the validation samples,
    which the refit network has learnt from and so cannot be measured by."""
    measured = ("accuracy", "float_accuracy", "int8_accuracy_before_aware_training")
    known = {"point": decided.folder.name, "test_accuracy_before": decided.facts["test_accuracy"]}
    return {**{name: decided.facts[name] for name in measured}, "refit": known}


def finalist_recipe(settings: SearchSettings, data: Dataset, times: int = 1) -> Recipe:
    """How finalists are trained; ``times`` as many epochs."""
    from tinyforge.search.recipes import Recipe, usual_decay

    budget = settings.plan
    decay = usual_decay(data.kind, data.shape[2]) if settings.decay is None else settings.decay
    epochs = budget.epochs(data, budget.fine_steps) * times
    return Recipe(epochs, budget.batch, rate=FINE_RATE, decay=decay, first=0, augment=settings.augment)


def lessons_of(settings: SearchSettings, data: Dataset, folder: Path) -> Lessons | None:
    """The teacher that is asked for, whose weights are kept in ``folder``. Raises UsageError."""
    from tinyforge.search.space_file import space_for
    from tinyforge.search.torch_trainer import Lessons

    return None if settings.teacher is None else Lessons(folder / TEACHER, space_for(settings.teacher, data))


def _worth_most(points: Sequence[tuple[Point, Trial]]) -> tuple[Point, Trial]:
    """The largest of those that the validation samples do not show to be worse than the first, the most accurate one:
    a few samples do not tell networks apart, and then the larger one is the better one more often than not."""
    from tinyforge.search.finalist import told_apart

    best = points[0][0].right()
    close = [made for made in points if not told_apart(best, made[0].right())]
    return max(close, key=lambda made: made[0].facts["executed_macs"])


class Finals:
    """Makes the points of one study."""

    def __init__(
        self,
        folder: Path,
        settings: SearchSettings,
        budget: Budget,
        data: Dataset,
        space: SearchSpace,
        judge: Evaluator,
        progress: Progress,
        together: bool = False,
        threads: int | None = None,
    ) -> None:
        """together: whether all are trained at once, by PyTorch. threads: of this machine, all by default."""
        self.together, self.threads = together, threads
        self.folder, self.settings, self.budget, self.data = folder, settings, budget, data
        self.space, self.judge, self.progress = space, judge, progress

    def make(self, trials: Sequence[Trial]) -> list[Point]:
        """A point for each trial that still fits once compiled, the most accurate first. Finished ones are kept.
        With a refit the first one is the network worth most, trained once more on the validation samples too.

        Raises DoesNotFit where none fits.
        """
        points: list[tuple[Point, Trial]] = []
        refused = ""
        if self.together:
            open_ones = {self.point_folder(number, trial): trial for number, trial in enumerate(trials)}
            files = {f / TRAINED: trial for f, trial in open_ones.items() if not (f / POINT).is_file()}
            self._train_together(files, self.data, self.folder / UNFINISHED)
        for number, trial in enumerate(trials):
            try:
                points.append((self._point(self.point_folder(number, trial), trial, number), trial))
            except DoesNotFit as error:
                refused = str(error)
        if not points:
            raise DoesNotFit(f"no finalist fits once it is compiled: {refused}")
        # Of equal ones the largest first: a small validation split does not tell them apart.
        points.sort(key=lambda made: (-made[0].accuracy, -made[0].facts["executed_macs"]))
        found = [point for point, _ in points]
        if self.budget.refit:
            best, trial = _worth_most(points)
            found = [best, *(point for point in found if point is not best)]
            folder = self.folder / "points" / f"refit-{trial.candidate.key}"
            # Other weights can take a few bytes more of flash.
            with suppress(DoesNotFit):
                found[0] = self._point(folder, trial, len(trials), best)
        return found

    def point_folder(self, number: int, trial: Trial) -> Path:
        """Of the finalist ``number``, from 0."""
        return self.folder / "points" / f"{number + 1}-{trial.candidate.key}"

    def _train_together(self, trials: Mapping[Path, Trial], data: Dataset, checkpoint: Path, times: int = 1) -> None:
        """Weights into the files of ``trials``, by PyTorch."""
        from tinyforge.search.supernet import candidate_weights
        from tinyforge.search.torch_trainer import Start, larger, train_together

        lessons = lessons_of(self.settings, self.data, self.folder)
        whole = {name: variable.numpy() for name, variable in self.judge.net.variables.items()}
        networks = {file: self._architecture(trial) for file, trial in trials.items()}
        starts = {file: Start(network, candidate_weights(network, whole)) for file, network in networks.items()}
        recipe = larger(finalist_recipe(self.settings, self.data, times), len(data.train))
        train_together(starts, data, recipe, self.settings.seed, checkpoint, self.progress, self.threads, lessons)

    def _architecture(self, trial: Trial) -> Architecture:
        from tinyforge.search.architecture import architecture

        return architecture(self.space, trial.candidate, self.data.shape, len(self.data.classes))

    def _point(self, folder: Path, trial: Trial, number: int, decided: Point | None = None) -> Point:
        """The point in ``folder``, made where it is not there. decided: the point whose network is trained once more,
        now that nothing is decided by the validation samples any more."""
        if not (folder / POINT).is_file():
            self._make(folder, trial, number, decided)
        return Point(folder, load_json(folder / POINT))

    def _make(self, folder: Path, trial: Trial, number: int, decided: Point | None) -> None:
        from tinyforge.search.finalist import Tuner

        network, times = self._architecture(trial), 1 if decided is None else REFIT_TIMES
        data = self.data if decided is None else self.data.joined()
        folder.mkdir(parents=True, exist_ok=True)
        if self.together:
            self._train_together({folder / TRAINED: trial}, data, folder / UNFINISHED, times)
        recipe = finalist_recipe(self.settings, self.data, times)
        seed = self.settings.seed * 1000 + number
        tuner = Tuner(self.judge.net, data, recipe, seed, self.progress, threads=self.threads)
        finalist = tuner.make(trial.candidate, folder / UNFINISHED, folder / TRAINED)
        (folder / MODEL).write_bytes(finalist.content)
        finalist.model.save(folder / "model.keras")
        built = self._compile(folder)
        self._front_end(folder, built)
        facts = self._measure(folder, trial, network, finalist, built)
        save_json(folder / POINT, facts if decided is None else {**facts, **_refit_facts(decided)})
        (folder / UNFINISHED).unlink(missing_ok=True)

    def _compile(self, folder: Path) -> CompileResult:
        s = self.settings
        return compile(
            folder / MODEL,
            board=s.board,
            sram=s.sram,
            flash=s.flash,
            max_mac_factor=s.max_mac_factor,
            input_mode=s.input,
            schedule=s.schedule,
            out=folder / "build",
            name="model",
            progress=self.progress,
        )

    def _front_end(self, folder: Path, built: CompileResult) -> None:
        """The C that makes the network's input from sound, where the data was sound."""
        from tinyforge.search.front_end_c import write_front_end
        from tinyforge.search.log_mel_fixed import feature_quant, fixed_front_end

        if self.data.front_end is not None:
            source, scaling = built.info.inputs[0], self.data.scaling
            quant = feature_quant(scaling.mean, scaling.std, source.scale, source.zero_point)
            write_front_end(folder / "front_end", fixed_front_end(self.data.front_end), quant, built.info.name)

    def _measure(
        self, folder: Path, trial: Trial, network: Architecture, finalist: Finalist, built: CompileResult
    ) -> dict[str, Any]:
        """Accuracies of the C code; the test split is looked at here, after everything is decided."""
        right, report = self._run(folder, finalist.held, self.data.validation, "validation")
        test_right, _ = self._run(folder, self._test_outputs(network, finalist), self.data.test, "test")
        compiled = built.as_json()
        kept = ("macs", "executed_macs", "arena_bytes", "stack_bytes", "flash_bytes", "input", "schedule")
        return {
            "candidate": trial.candidate.key,
            "accuracy": round(right, 6),
            "test_accuracy": round(test_right, 6),
            "float_accuracy": round(finalist.float_accuracy, 6),
            "int8_accuracy_before_aware_training": finalist.before_aware,
            "supernet_accuracy": trial.accuracy,
            **{name: compiled[name] for name in kept},
            "estimated_cycles": dict(report.result.estimated_cycles),
            "predicted": trial.cost.as_json(),
            "emulated_samples": report.result.samples,
            "genes": dict(zip((g.name for g in self.space.genes), trial.candidate.values, strict=True)),
            "input_shape": list(network.input_shape),
            "scaling": {"mean": list(self.data.scaling.mean), "std": list(self.data.scaling.std)},
            "classes": list(self.data.classes),
            "refit": None,
            "next": self._commands(folder),
        }

    def _test_outputs(self, network: Architecture, finalist: Finalist) -> tuple[Array, Array]:
        """int8 inputs of the test split, and what the reference kernels make of them."""
        from tinyforge.search.finalist import network_input
        from tinyforge.search.reference import reference_outputs

        samples = network_input(self.data, self.data.test, network)
        return reference_outputs(
            finalist.content, samples, self.progress, "running the reference on the test split", self.threads
        )

    def _run(
        self, folder: Path, expected: tuple[Array, Array], samples: Samples, split: str
    ) -> tuple[float, RunReport]:
        """Part of ``samples`` that the C code gets right, every output compared with ``expected`` (inputs and outputs
        of the reference kernels); of these the first ones on the emulated core too. Raises DeviceError where an output
        differs."""
        from tinyforge.search.finalist import right_answers

        inputs, outputs = expected
        path = folder / _samples_file(split)
        np.savez_compressed(path, input_0=inputs, output_0=outputs, labels=samples.y)
        count = min(self.budget.emulated, len(samples))
        build, tell = folder / "build", self.progress
        whole = run(build, on="host", inputs=path, reference=path, progress=tell)
        emulated = run(build, on="emulator", inputs=path, reference=path, samples=count, progress=tell)
        for report in (whole, emulated):
            if not report.ok:
                raise DeviceError(f"{folder}: the C code differs from the reference: {report.explanation}")
        return float(right_answers(whole.outputs[0], samples.y).mean()), emulated

    def _commands(self, folder: Path) -> list[str]:
        """What to type to go on with a point."""
        build = shlex.quote(str(folder / "build"))
        s = self.settings
        given = {"sram": s.sram, "flash": s.flash, "max-mac-factor": s.max_mac_factor}
        options = {"board": s.board, "input": s.input, "schedule": s.schedule, **{k: v for k, v in given.items() if v}}
        words = " ".join(f"--{name} {value}" for name, value in options.items())
        return [
            f"tinyforge compile {shlex.quote(str(folder / MODEL))} {words}",
            f"tinyforge flash {build}",
            f"tinyforge run {build} --on board --inputs {shlex.quote(str(folder / _samples_file('test')))}",
        ]
