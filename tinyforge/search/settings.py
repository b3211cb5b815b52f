"""What a search is asked for, and what each budget means."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Any

from tinyforge.errors import UsageError
from tinyforge.search.dataset import Dataset
from tinyforge.search.feasibility import check_objectives
from tinyforge.search.recipes import RECIPES

SETTINGS = "search.json"
MOST_DECAY = 10.0
"""Of weights; a step at the highest rate takes a twenty-fifth of them then."""
REFIT_TIMES = 3
"""Epochs of a refit for each epoch of a finalist: finalists are compared, what is shipped is trained well."""


@dataclass(frozen=True, slots=True)
class Budget:
    """steps, batch: of the supernet's training. evaluations, population: of the study. finalists: networks that are
    trained on. fine_steps: steps each is trained. calibration: batches for normalisation. emulated: samples run on
    the emulator, instruction by instruction (all are run as C on this machine). sampled: candidates drawn to narrow the
    space. refit: whether the best point is trained once more, longer and on validation samples too."""

    steps: int
    batch: int
    evaluations: int
    population: int
    finalists: int
    fine_steps: int
    calibration: int
    emulated: int
    sampled: int
    held: int
    refit: bool = True

    def epochs(self, data: Dataset, steps: int) -> int:
        """Epochs that make about ``steps`` steps."""
        return max(1, round(steps / math.ceil(len(data.train) / self.batch)))


BUDGETS = {
    "quick": Budget(500, 64, 60, 20, 2, 800, 2, 64, 600, 500),
    "standard": Budget(4400, 64, 300, 40, 3, 3400, 4, 500, 3000, 2000),
    "thorough": Budget(60000, 64, 3000, 100, 10, 30000, 20, 5000, 20000, 10000),
}


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """Everything that decides what a search finds. Sizes in bytes, None for what the board has.

    base: a model file that the space is made around, instead of ``space``. predictor: ``auto`` lets predicted
    accuracies choose what is judged, where they rank well. warm_up: ``proxy`` begins the study with candidates a
    training-free score picks. teacher: a space whose largest network teaches the finalists; None for labels alone.
    Numbers that are None follow from the budget, decay (of the kernels of
    finalists, times the rate at each step) from the data. refit: see ``Budget``.
    """

    data: str = "digits"
    test: str | None = None
    board: str = "emulated_m4"
    sram: int | None = None
    flash: int | None = None
    macs: int | None = None
    cycles: int | None = None
    input: str = "whole"
    schedule: str = "auto"
    max_mac_factor: float | None = None
    space: str = "auto"
    base: str | None = None
    budget: str = "quick"
    objectives: tuple[str, ...] = ("arena_bytes", "estimated_cycles")
    augment: str = "auto"
    decay: float | None = None
    predictor: str = "auto"
    warm_up: str = "off"
    recipe: str = RECIPES[0]
    seed: int = 0
    evaluations: int | None = None
    steps: int | None = None
    fine_steps: int | None = None
    finalists: int | None = None
    refit: bool = True
    teacher: str | None = None

    def __post_init__(self) -> None:
        if self.budget not in BUDGETS:
            raise UsageError(f"--budget {self.budget} is not known; choose one of: {', '.join(BUDGETS)}")
        if self.recipe not in RECIPES:
            raise UsageError(f"--recipe {self.recipe} is not known; choose one of: {', '.join(RECIPES)}")
        for name in ("evaluations", "steps", "fine_steps", "finalists", "macs", "cycles"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"--{name.replace('_', '-')} {value} makes no sense; give 1 or more")
        if self.decay is not None and not 0 <= self.decay <= MOST_DECAY:
            raise UsageError(f"--decay {self.decay} makes no sense; give 0 to {MOST_DECAY:g}")
        for name, known in (("predictor", ("auto", "off")), ("warm_up", ("off", "proxy"))):
            if getattr(self, name) not in known:
                option = name.replace("_", "-")
                raise UsageError(f"--{option} {getattr(self, name)} is not known; choose one of: {', '.join(known)}")
        if self.base is not None and self.space != "auto":
            raise UsageError(f"--from {self.base} makes a space of its own; leave --space out")
        check_objectives(self.objectives)
        if self.seed < 0:
            raise UsageError(f"--seed {self.seed} makes no sense; give 0 or more")

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """All fields."""
        return tuple(field.name for field in fields(cls))

    @property
    def plan(self) -> Budget:
        """The budget with what was asked for by number."""
        given = {n: getattr(self, n) for n in ("evaluations", "steps", "fine_steps", "finalists", "refit")}
        return replace(BUDGETS[self.budget], **{n: v for n, v in given.items() if v is not None})

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.names()} | {"objectives": list(self.objectives)}


def settings_from(values: dict[str, Any]) -> SearchSettings:
    """What ``as_json`` gave. Raises UsageError for other keys."""
    try:
        return SearchSettings(**{**values, "objectives": tuple(values["objectives"])})
    except (TypeError, KeyError) as error:
        raise UsageError(
            f"{SETTINGS} of the study was written by another version: {error}; start a new study"
        ) from error
