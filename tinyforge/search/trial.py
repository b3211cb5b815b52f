"""What a study keeps of every candidate, and the front of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from tinyforge.search.feasibility import Cost
from tinyforge.search.space import Candidate


@dataclass(frozen=True, slots=True)
class Judgement:
    """cost: planned exactly. accuracy: by the supernet on the validation split, None where a limit is broken."""

    cost: Cost
    accuracy: float | None


@dataclass(frozen=True, slots=True)
class Trial:
    """A candidate that was looked at. accuracy: by the supernet on the validation split; None where it was rejected for
    ``broken``, the limits it breaks and by what part of each, or passed over for ``predicted``, the accuracy that was
    expected of it."""

    number: int
    candidate: Candidate
    cost: Cost
    accuracy: float | None
    broken: Mapping[str, float]
    predicted: float | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "candidate": self.candidate.key,
            "values": list(self.candidate.values),
            **self.cost.as_json(),
            "accuracy": self.accuracy,
            "broken": dict(self.broken),
            "predicted": self.predicted,
        }

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> Trial:
        """What ``as_json`` gave."""
        cost = Cost(**{field.name: facts[field.name] for field in fields(Cost)})
        candidate = Candidate(tuple(facts["values"]))
        return cls(facts["number"], candidate, cost, facts["accuracy"], facts["broken"], facts["predicted"])


def pareto(trials: Iterable[Trial], objectives: Sequence[str]) -> list[Trial]:
    """Those that no other is at least as good as everywhere and better somewhere; the most accurate first.

    Of equal ones the largest comes first: a small validation split does not tell them apart.
    """
    pool = list(trials)
    scores = {t.number: (-(t.accuracy or 0.0), *(getattr(t.cost, name) for name in objectives)) for t in pool}

    def beaten(trial: Trial) -> bool:
        own = scores[trial.number]
        return any(other != own and all(a <= b for a, b in zip(other, own, strict=True)) for other in scores.values())

    return sorted((t for t in pool if not beaten(t)), key=lambda t: (scores[t.number], -t.cost.executed_macs, t.number))


def spread(front: Sequence[Trial], count: int) -> list[Trial]:
    """``count`` of the front: the most accurate one and others at equal steps along it."""
    if len(front) <= count:
        return list(front)
    places = dict.fromkeys(round(i * (len(front) - 1) / max(count - 1, 1)) for i in range(count))
    return [front[i] for i in places]


def finalists(judged: Iterable[Trial], front: Sequence[Trial], count: int) -> list[Trial]:
    """``count`` of the judged ones to train on: the most accurate one and others along their front.

    Of equally accurate ones the largest is the first, though smaller ones leave it out of the front: where a small
    validation split does not tell them apart, it is the better one more often than not.
    """
    best = pareto(judged, ())[0]
    return [best, *spread([trial for trial in front if trial.candidate != best.candidate], count - 1)]
