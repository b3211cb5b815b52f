"""Which candidates come next: Optuna's NSGA-II, a batch at a time.

A batch follows from the seed and from the finished trials before it alone, whoever asks and whoever judged them: a
study that is killed and resumed, or that many processes work on, goes the same way as one that was not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from tinyforge.search.feasibility import BoardLimits, Cost, violations
from tinyforge.search.predictor import Predictor, fitted_predictor
from tinyforge.search.space import (
    Candidate,
    SearchSpace,
    graded_candidate,
    make_candidate,
    mutated,
    random_candidate,
)
from tinyforge.search.storage import optuna

OVERSAMPLED = 3
"""Proposals for each one that is judged, where the predictor chooses among them."""
WARM = 8
"""Random candidates for each of the first batch, among which a proxy or their sizes choose."""
GRADED_SPREAD = 0.4
"""How far genes of one candidate may stray from its size, of all choices."""
CLIMBERS, CLIMB = 0.5, 24
"""Part of a generation that climbs by prediction before it is judged, and changes tried with each."""
CLIMB_RATE = 0.08
"""Part of the genes that a change draws anew."""

Costs = Callable[[Candidate], Cost]
Score = Callable[[Candidate], float]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked of a study. evaluations: candidates that are judged by the supernet. objectives: costs made small
    beside accuracy made large. population: of a generation. predictor: whether predicted accuracies may choose what is
    judged."""

    evaluations: int
    objectives: tuple[str, ...]
    population: int
    seed: int
    predictor: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Proposal:
    """A candidate for the place ``slot`` in the order of all. cost: before an exact plan. broken: limits by that cost.
    repeated: it is another trial's. passed: the predictor chose others. system: what Optuna keeps with a trial."""

    slot: int
    candidate: Candidate
    cost: Cost
    broken: Mapping[str, float]
    params: Mapping[str, int]
    system: Mapping[str, Any]
    repeated: bool = False
    passed: bool = False
    predicted: float | None = None

    def as_json(self) -> dict[str, Any]:
        """What is kept of it."""
        return {
            "slot": self.slot,
            "candidate": self.candidate.values,
            "cost": self.cost.as_json(),
            "broken": dict(self.broken),
            "params": dict(self.params),
            "system": dict(self.system),
            "repeated": self.repeated,
            "predicted": self.predicted,
        }

    @property
    def waits(self) -> bool:
        """Whether it is to be judged."""
        return not (self.broken or self.repeated or self.passed)


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """A finished proposal. complete: it was judged or breaks a limit, and so belongs to its generation."""

    params: Mapping[str, int]
    system: Mapping[str, Any]
    cost: Cost
    broken: Mapping[str, float]
    accuracy: float | None
    complete: bool


def directions(plan: Plan) -> list[str]:
    """Of ``objective_values``, in Optuna's words."""
    return ["maximize", *("minimize" for _ in plan.objectives)]


def objective_values(plan: Plan, cost: Cost, accuracy: float | None) -> list[float]:
    """Accuracy, then the costs that are objectives."""
    return [accuracy or 0.0, *objective_costs(cost, plan.objectives)]


def objective_costs(cost: Cost, objectives: Sequence[str]) -> list[float]:
    """The costs that are objectives, in their order."""
    return [float(getattr(cost, name)) for name in objectives]


def constraint_values(limits: BoardLimits, broken: Mapping[str, float]) -> dict[str, float]:
    """Optuna's convention: feasible where no constraint is above 0."""
    return {name: broken.get(name, 0.0) for name in limits.limits}


def distributions(space: SearchSpace) -> dict[str, Any]:
    """Of every gene, Optuna's."""
    return {gene.name: optuna().distributions.CategoricalDistribution(gene.choices) for gene in space.genes}


@dataclass
class Proposer:
    """Asks Optuna, in a copy of the study that holds nothing but finished trials in the order of their slots.

    costs: quick. warm: score of an untrained candidate for the first batch, larger is better.
    """

    space: SearchSpace
    limits: BoardLimits
    plan: Plan
    costs: Costs
    warm: Score | None = None
    _asked: dict[int, Any] = field(default_factory=dict)
    _learnt: int = 0

    def __post_init__(self) -> None:
        module = optuna()
        self._distributions = distributions(self.space)
        self._sampler = _sampler_class(self._distributions)
        self._study = module.create_study(directions=directions(self.plan))
        self._states = module.trial.TrialState

    def learn(self, outcomes: Sequence[Outcome]) -> None:
        """Take in what came of all slots from the first on; known ones are left out."""
        for slot, outcome in enumerate(outcomes[self._learnt :], self._learnt):
            self._learn(self._asked.pop(slot, None), outcome)
            self._learnt = slot + 1

    def _learn(self, asked: Any, outcome: Outcome) -> None:
        """A trial asked for by this process is finished, one of another process is added."""
        values = objective_values(self.plan, outcome.cost, outcome.accuracy) if outcome.complete else None
        constraints = constraint_values(self.limits, outcome.broken) if outcome.complete else {}
        state = self._states.COMPLETE if outcome.complete else self._states.FAIL
        if asked is None:
            trial = optuna().trial.create_trial(
                state=state,
                values=values,
                params=dict(outcome.params),
                distributions=self._distributions,
                system_attrs=dict(outcome.system),
                constraints=constraints,
            )
            self._study.add_trial(trial)
            return
        for name, value in constraints.items():
            asked.set_constraint(name, value)
        self._study.tell(asked, values, state=state)

    def propose(self, judged: Mapping[Candidate, float], known: set[Candidate]) -> tuple[list[Proposal], float | None]:
        """The next batch, and the rank correlation of the predictor that chose in it (None: all are judged).

        judged: accuracies. known: candidates of all trials. At most as many wait as are still to be evaluated.
        """
        room = self.plan.evaluations - len(judged)
        predictor = fitted_predictor(self.space, judged, self.plan.seed) if self.plan.predictor else None
        if self._learnt == 0:
            count = min(room, self.plan.population)
            self._enqueue(self._best(count, self.warm) if self.warm else self._graded(count))
        elif predictor:
            self._enqueue(self._climbers(predictor, judged, known, min(room, self.plan.population)))
        count = self.plan.population * (OVERSAMPLED if predictor else 1)
        found: list[Proposal] = []
        seen, waiting = set(known), 0
        while len(found) < count and (predictor or waiting < room):
            made = self._ask(self._learnt + len(found), seen)
            seen.add(made.candidate)
            waiting += made.waits
            found.append(made)
        if predictor is None:
            return found, None
        return _chosen(found, predictor, room, self.plan.objectives), predictor.correlation

    def _ask(self, slot: int, seen: set[Candidate]) -> Proposal:
        self._study.sampler = self._sampler(
            population_size=self.plan.population, seed=self.plan.seed * 1_000_003 + slot
        )
        trial = self._study.ask()
        self._asked[slot] = trial
        values = [trial.suggest_categorical(name, d.choices) for name, d in self._distributions.items()]
        candidate = make_candidate(self.space, values)
        cost = self.costs(candidate)
        frozen = self._study.get_trials(deepcopy=False)[slot]
        return Proposal(
            slot=slot,
            candidate=candidate,
            cost=cost,
            broken=violations(cost, self.limits),
            params=dict(frozen.params),
            system=dict(frozen.system_attrs),
            repeated=candidate in seen,
        )

    def _enqueue(self, candidates: Sequence[Candidate]) -> None:
        """They are asked for first."""
        for candidate in candidates:
            self._study.enqueue_trial(dict(zip(self._distributions, candidate.values, strict=True)))

    def _best(self, count: int, score: Score) -> list[Candidate]:
        """Of random candidates that fit, those the score is highest for."""
        rng = np.random.default_rng([self.plan.seed, 61])
        fitting = self._fitting(random_candidate(self.space, rng) for _ in range(WARM * count))
        scores = {c: score(c) for c in fitting}
        return sorted(fitting, key=lambda c: (-scores[c], c.values))[:count]

    def _graded(self, count: int) -> list[Candidate]:
        """Of candidates of all sizes that fit, some at even steps of MACs up to the largest: genes drawn each alone
        make networks of middling size, and what is best stands near the limits."""
        rng = np.random.default_rng([self.plan.seed, 71])
        fitting = self._fitting(graded_candidate(self.space, rng, GRADED_SPREAD) for _ in range(WARM * count))
        ranked = sorted(fitting, key=lambda c: (fitting[c].executed_macs, c.values))
        places = np.linspace(len(ranked) - 1, 0, count).round().astype(int) if ranked else []
        return list(dict.fromkeys(ranked[i] for i in places))

    def _fitting(self, drawn: Iterable[Candidate]) -> dict[Candidate, Cost]:
        costs = {candidate: self.costs(candidate) for candidate in dict.fromkeys(drawn)}
        return {candidate: cost for candidate, cost in costs.items() if not violations(cost, self.limits)}

    def _climbers(
        self, predictor: Predictor, judged: Mapping[Candidate, float], known: set[Candidate], population: int
    ) -> list[Candidate]:
        """The most accurate candidates, each changed step by step to what fits and is predicted to be better."""
        rng = np.random.default_rng([self.plan.seed, 73, self._learnt])
        parents = sorted(judged, key=lambda c: (-judged[c], c.values))[: max(1, round(CLIMBERS * population))]
        found: dict[Candidate, None] = {}
        for parent in parents:
            best, expected = parent, predictor.accuracy(parent)
            for _ in range(CLIMB):
                changed = mutated(self.space, best, rng, CLIMB_RATE)
                guess = predictor.accuracy(changed)
                if guess > expected and changed not in found and not violations(self.costs(changed), self.limits):
                    best, expected = changed, guess
            if best not in known:
                found[best] = None
        return list(found)


def _chosen(found: Sequence[Proposal], predictor: Predictor, room: int, objectives: Sequence[str]) -> list[Proposal]:
    """Of those that could be judged, the third that is best by predicted accuracy and costs; others are passed over.

    One by predicted accuracy, one by the layers of non-dominated ones, and so on in turns: accuracy alone would leave
    small networks out, layers alone have few of the accurate ones.
    """
    expected = {p.slot: predictor.accuracy(p.candidate) for p in found if not p.broken and not p.repeated}
    scores = {p.slot: (-expected[p.slot], *objective_costs(p.cost, objectives)) for p in found if p.slot in expected}
    layer = _layers(scores)
    by_accuracy = sorted(expected, key=lambda slot: (-expected[slot], slot))
    by_layer = sorted(expected, key=lambda slot: (layer[slot], -expected[slot], slot))
    ranked = list(dict.fromkeys(slot for both in zip(by_accuracy, by_layer, strict=True) for slot in both))
    kept = ranked[: min(room, -(-len(expected) // OVERSAMPLED))]
    return [
        replace(p, predicted=round(expected[p.slot], 6), passed=p.slot not in kept) if p.slot in expected else p
        for p in found
    ]


def _layers(scores: Mapping[int, tuple[float, ...]]) -> dict[int, int]:
    """0 for what nothing beats, 1 for what only that beats, and so on; less is better in every score."""
    left, layers, number = dict(scores), {}, 0
    while left:
        front = [slot for slot, own in left.items() if not any(_beats(other, own) for other in left.values())]
        layers.update(dict.fromkeys(front, number))
        left = {slot: own for slot, own in left.items() if slot not in layers}
        number += 1
    return layers


def _beats(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))


def _sampler_class(distributions: Mapping[str, Any]) -> Any:
    """NSGA-II that does not depend on when in a generation it was made."""
    module = optuna()

    class Sampler(module.samplers.NSGAIISampler):  # type: ignore[misc, name-defined]
        """Optuna orders parents one way when it selects them and another way when it remembers them."""

        def get_parent_population(self, study: Any, generation: int) -> list[Any]:
            return sorted(super().get_parent_population(study, generation), key=lambda trial: trial.number)

        def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, Any]:
            return {name: d for name, d in distributions.items() if not d.single()}

    return Sampler
