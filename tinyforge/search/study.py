"""The search itself: Optuna's NSGA-II proposes, the scheduler rejects what does not fit, the supernet judges the rest.

Every candidate is a trial of the study, with its costs and the limits it broke. What is proposed next follows from the
seed and from the finished trials alone, so a study that is killed and resumed goes the way of one that was not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyforge.errors import DoesNotFit, UsageError
from tinyforge.search.feasibility import BoardLimits, Cost, violations
from tinyforge.search.needs import missing
from tinyforge.search.space import Candidate, SearchSpace, make_candidate
from tinyforge.search.train import Report

NAME = "tinyforge"
DATABASE, JOURNAL = "study.db", "study.journal"
MOST_REJECTED = 200
"""Rejected candidates for each evaluated one, at most: a space in which less than that fits is the wrong one."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked of a study. evaluations: candidates that are judged by the supernet. objectives: costs made small
    beside accuracy made large. population: of a generation."""

    evaluations: int
    objectives: tuple[str, ...]
    population: int
    seed: int


@dataclass(frozen=True, slots=True)
class Trial:
    """A candidate that was looked at. accuracy: by the supernet on the validation split, None where it was rejected
    for ``broken``, the limits it breaks and by what part of each."""

    number: int
    candidate: Candidate
    cost: Cost
    accuracy: float | None
    broken: Mapping[str, float]

    def as_json(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "candidate": self.candidate.key,
            "values": list(self.candidate.values),
            **self.cost.as_json(),
            "accuracy": self.accuracy,
            "broken": dict(self.broken),
        }


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise missing("Optuna") from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def storage_url(folder: Path, jobs: int) -> str:
    """SQLite for one process, a journal file for several on this machine."""
    return f"sqlite:///{folder / DATABASE}" if jobs == 1 else f"journal://{folder / JOURNAL}"


def open_storage(url: str) -> Any:
    """Optuna's storage: ``sqlite:///FILE``, ``journal://FILE`` or ``postgresql://...``. Raises UsageError."""
    optuna = _optuna()
    if url.startswith("journal://"):
        backend = optuna.storages.journal.JournalFileBackend(url.removeprefix("journal://"))
        return optuna.storages.JournalStorage(backend)
    if not url.startswith(("sqlite://", "postgresql")):
        raise UsageError(f"storage {url!r} is not known; give sqlite:///FILE, journal://FILE or postgresql://...")
    try:
        return optuna.storages.RDBStorage(url)
    except Exception as error:
        raise UsageError(f"the storage {url} cannot be opened: {type(error).__name__}: {error}") from error


class Study:
    """Trials of one space under one set of limits, in a storage that outlives the process."""

    def __init__(self, space: SearchSpace, limits: BoardLimits, plan: Plan, storage: Any) -> None:
        self.space, self.limits, self.plan = space, limits, plan
        self.optuna = _optuna()
        directions = ["maximize", *("minimize" for _ in plan.objectives)]
        self.study = self.optuna.create_study(
            storage=storage, study_name=NAME, directions=directions, load_if_exists=True
        )

    def run(self, cost: Callable[[Candidate], Cost], accuracy: Callable[[Candidate], float], tell: Report) -> None:
        """Look at candidates until ``plan.evaluations`` of them are judged. Raises DoesNotFit where next to nothing of
        the space fits."""
        self._drop_unfinished()
        known = {trial.candidate: trial.accuracy for trial in self.trials()}
        judged = {candidate for candidate, value in known.items() if value is not None}
        rejected = 0
        while len(judged) < self.plan.evaluations:
            tell("evaluating candidates", len(judged), self.plan.evaluations)
            trial, candidate = self._ask()
            costs = cost(candidate)
            broken = violations(costs, self.limits)
            if not broken and candidate not in judged:
                known[candidate] = accuracy(candidate)
                judged.add(candidate)
                rejected = 0
            else:
                rejected += 1
            self._tell(trial, candidate, costs, known.get(candidate), broken)
            if rejected > MOST_REJECTED:
                if not judged:
                    raise DoesNotFit(self._refusal())
                break

    def _ask(self) -> tuple[Any, Candidate]:
        done = len(self._finished())
        self.study.sampler = self.optuna.samplers.NSGAIISampler(
            population_size=self.plan.population, seed=self.plan.seed * 1_000_003 + done
        )
        trial = self.study.ask()
        values = [trial.suggest_categorical(gene.name, list(gene.choices)) for gene in self.space.genes]
        return trial, make_candidate(self.space, values)

    def _tell(
        self, trial: Any, candidate: Candidate, cost: Cost, accuracy: float | None, broken: Mapping[str, float]
    ) -> None:
        trial.set_user_attr("candidate", list(candidate.values))
        trial.set_user_attr("cost", cost.as_json())
        trial.set_user_attr("broken", dict(broken))
        trial.set_user_attr("accuracy", accuracy)
        for name in self.limits.limits:
            # Optuna's convention: feasible where no constraint is above 0.
            trial.set_constraint(name, broken.get(name, 0.0))
        values = [accuracy or 0.0, *(float(getattr(cost, name)) for name in self.plan.objectives)]
        self.study.tell(trial, values)

    def _drop_unfinished(self) -> None:
        """Trials a dead process left behind are closed; their candidates are proposed again."""
        state = self.optuna.trial.TrialState
        for trial in self.study.get_trials(deepcopy=False, states=(state.RUNNING,)):
            self.study.tell(trial.number, state=state.FAIL)

    def _finished(self) -> list[Any]:
        state = self.optuna.trial.TrialState
        return list(self.study.get_trials(deepcopy=False, states=(state.COMPLETE,)))

    def trials(self) -> list[Trial]:
        """All finished trials, in order."""
        return [_trial(t) for t in self._finished()]

    def front(self) -> list[Trial]:
        """Judged trials that no other beats in accuracy and every objective at once, the most accurate first."""
        return pareto(self._judged(), self.plan.objectives)

    def _judged(self) -> Iterator[Trial]:
        seen: set[Candidate] = set()
        for trial in self.trials():
            if trial.accuracy is not None and not trial.broken and trial.candidate not in seen:
                seen.add(trial.candidate)
                yield trial

    def _refusal(self) -> str:
        trials = self.trials()
        nearest = min(trials, key=lambda t: max(t.broken.values(), default=0.0))
        over = ", ".join(
            f"{name} {getattr(nearest.cost, name):,} of {self.limits.limits[name]:,}" for name in nearest.broken
        )
        return (
            f"space {self.space.name}: none of {len(trials)} candidates keeps the limits; the nearest has {over}; "
            "try a larger limit or a smaller space (tinyforge zoo)"
        )


def _trial(frozen: Any) -> Trial:
    cost = frozen.user_attrs["cost"]
    return Trial(
        number=frozen.number,
        candidate=Candidate(tuple(frozen.user_attrs["candidate"])),
        cost=Cost(**cost),
        accuracy=frozen.user_attrs["accuracy"],
        broken=frozen.user_attrs["broken"],
    )


def pareto(trials: Iterator[Trial] | Sequence[Trial], objectives: Sequence[str]) -> list[Trial]:
    """Those that no other is at least as good as everywhere and better somewhere; the most accurate first."""
    pool = list(trials)
    scores = {t.number: (-(t.accuracy or 0.0), *(getattr(t.cost, name) for name in objectives)) for t in pool}

    def beaten(trial: Trial) -> bool:
        own = scores[trial.number]
        return any(other != own and all(a <= b for a, b in zip(other, own, strict=True)) for other in scores.values())

    return sorted((t for t in pool if not beaten(t)), key=lambda t: (scores[t.number], t.number))


def spread(front: Sequence[Trial], count: int) -> list[Trial]:
    """``count`` of the front: the most accurate one and others at equal steps along it."""
    if len(front) <= count:
        return list(front)
    places = dict.fromkeys(round(i * (len(front) - 1) / max(count - 1, 1)) for i in range(count))
    return [front[i] for i in places]
