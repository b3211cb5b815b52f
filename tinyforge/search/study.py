"""The search itself: Optuna's NSGA-II proposes, the scheduler rejects what does not fit, the supernet judges the rest.

Every candidate is a trial of the study, with its costs and the limits it broke. Trials have slots, places in the order
they were proposed in. One process at a time proposes a batch; all that work on the study take trials from it, and the
next batch comes when it is finished, so the result does not depend on how many they are or which of them die.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from tinyforge.errors import DoesNotFit
from tinyforge.search.feasibility import BoardLimits, Cost, violations
from tinyforge.search.peers import Peers
from tinyforge.search.propose import (
    Costs,
    Outcome,
    Plan,
    Proposer,
    Score,
    constraint_values,
    directions,
    distributions,
    objective_values,
)
from tinyforge.search.space import Candidate, SearchSpace
from tinyforge.search.storage import Place, open_peers, open_storage, optuna
from tinyforge.search.train import Report
from tinyforge.search.trial import Judgement, Trial, finalists, pareto

MOST_REJECTED = 200
"""Trials in a row none of which was judged: of a space in which less fits there is nothing more to find."""
POLL_S = 0.1
PROPOSED, OUTCOME, WORKER = "proposal", "outcome", "worker"
"""What is kept with a trial beside what Optuna keeps: as it was proposed, what came of it, who works on it."""

Judge = Callable[[Candidate], Judgement]


class Pool(Protocol):
    """Where candidates are judged. capacity: how many are taken at a time."""

    capacity: int

    def judgements(self, candidates: Sequence[Candidate]) -> Iterator[tuple[int, Judgement]]:
        """Index and judgement of each, in the order they are ready."""
        ...


class HerePool:
    """Judges in this process, one after another."""

    capacity = 1

    def __init__(self, judge: Judge) -> None:
        self.judge = judge

    def judgements(self, candidates: Sequence[Candidate]) -> Iterator[tuple[int, Judgement]]:
        """See Pool."""
        for index, candidate in enumerate(candidates):
            yield index, self.judge(candidate)


class Study:
    """Trials of one space under one set of limits, in a storage that outlives the process."""

    def __init__(self, space: SearchSpace, limits: BoardLimits, plan: Plan, place: Place) -> None:
        self.space, self.limits, self.plan, self.place = space, limits, plan, place
        self.optuna = optuna()
        self.states = self.optuna.trial.TrialState
        with open_peers(place) as peers, peers.lead():
            self.study = self.optuna.create_study(
                storage=open_storage(place),
                study_name=place.name,
                directions=directions(plan),
                load_if_exists=True,
                sampler=self.optuna.samplers.RandomSampler(seed=0),
            )

    def run(self, costs: Costs, pool: Pool, tell: Report, warm: Score | None = None) -> None:
        """Work on the study until ``plan.evaluations`` candidates are judged, by whomever. Raises DoesNotFit where next
        to nothing of the space fits, UsageError where another process holds a study that is for one."""
        proposer = Proposer(self.space, self.limits, self.plan, costs, warm)
        with open_peers(self.place) as peers:
            while True:
                with peers.lead():
                    self._recover(peers)
                    taken = self._take(peers, pool.capacity)
                    if not taken and not self._of(self.states.RUNNING):
                        if self._done():
                            break
                        self._propose(proposer)
                        taken = self._take(peers, pool.capacity)
                judged = sum(1 for _ in self._judged())
                tell("evaluating candidates", judged, self.plan.evaluations)
                for index, judgement in pool.judgements([c for _, c in taken]):
                    self._finish(taken[index][0], judgement)
                    judged += judgement.accuracy is not None
                    tell("evaluating candidates", judged, self.plan.evaluations)
                if not taken:
                    time.sleep(POLL_S)
        if not any(True for _ in self._judged()):
            raise DoesNotFit(self._refusal())

    def _of(self, *states: Any) -> list[Any]:
        """Optuna's trials in the order of their slots."""
        found = self.study.get_trials(deepcopy=False, states=states)
        return sorted((t for t in found if PROPOSED in t.user_attrs), key=_slot)

    def _finished(self) -> list[Any]:
        return self._of(self.states.COMPLETE, self.states.PRUNED)

    def _recover(self, peers: Peers) -> None:
        """Trials whose process died wait again; what it had judged stays judged."""
        for trial in self._of(self.states.RUNNING):
            if peers.alive(str(trial.user_attrs.get(WORKER, ""))):
                continue
            if OUTCOME in trial.user_attrs:
                self._tell(trial.number, trial.user_attrs[OUTCOME])
            else:
                self.study.tell(trial.number, state=self.states.FAIL)
        failed = self._of(self.states.FAIL)
        if not failed:
            return
        there = {_slot(t) for t in self._of(*(state for state in self.states if state != self.states.FAIL))}
        for slot, trial in {_slot(t): t for t in failed}.items():
            if slot not in there:
                self._add(self.states.WAITING, trial.user_attrs[PROPOSED])

    def _take(self, peers: Peers, most: int) -> list[tuple[Any, Candidate]]:
        """Up to ``most`` waiting trials, which are this process's from now on."""
        taken = []
        for _ in range(min(most, len(self._of(self.states.WAITING)))):
            trial = self.study.ask()
            trial.set_user_attr(WORKER, peers.name)
            taken.append((trial, Candidate(tuple(trial.user_attrs[PROPOSED]["candidate"]))))
        return taken

    def _propose(self, proposer: Proposer) -> None:
        """Write the next batch, or what is missing of the last."""
        finished = self._finished()
        first = len(finished)
        if finished:
            start, count = finished[-1].user_attrs[PROPOSED]["batch"]
            first = start if first < start + count else first
        before = finished[:first]
        proposer.learn([_outcome(t) for t in before])
        trials = [_trial(t) for t in before]
        judged = {t.candidate: t.accuracy for t in trials if t.accuracy is not None}
        known = {t.candidate for t in trials if t.accuracy is not None or t.broken}
        batch, correlation = proposer.propose(judged, known)
        for proposal in batch[len(finished) - first :]:
            state = self.states.WAITING if proposal.waits else self.states.PRUNED
            kept = {**proposal.as_json(), "batch": (first, len(batch)), "correlation": correlation}
            self._add(self.states.COMPLETE if proposal.broken else state, kept)

    def _add(self, state: Any, kept: dict[str, Any]) -> None:
        """One trial, written in one step. Parameters of those that are judged are Optuna's too, for its own tools."""
        rejected, params = state == self.states.COMPLETE, {}
        if state == self.states.WAITING:
            params = kept["params"]
        cost = Cost(**kept["cost"])
        trial = self.optuna.trial.create_trial(
            state=state,
            values=objective_values(self.plan, cost, None) if rejected else None,
            params=params,
            distributions={name: d for name, d in distributions(self.space).items() if name in params},
            user_attrs={PROPOSED: kept},
            constraints=constraint_values(self.limits, kept["broken"]) if rejected else None,
        )
        self.study.add_trial(trial)

    def _finish(self, trial: Any, judgement: Judgement) -> None:
        broken = violations(judgement.cost, self.limits)
        for name, value in constraint_values(self.limits, broken).items():
            trial.set_constraint(name, value)
        outcome = {"cost": judgement.cost.as_json(), "broken": broken, "accuracy": judgement.accuracy}
        # From here on the candidate is judged, whether or not this process lives to finish the trial.
        trial.set_user_attr(OUTCOME, outcome)
        self._tell(trial.number, outcome)

    def _tell(self, number: int, outcome: Mapping[str, Any]) -> None:
        values = objective_values(self.plan, Cost(**outcome["cost"]), outcome["accuracy"])
        self.study.tell(number, values, skip_if_finished=True)

    def _done(self) -> bool:
        """Whether enough are judged, or nothing new is found any more."""
        trials = [_trial(t) for t in self._finished()]
        judged = sum(t.accuracy is not None for t in trials)
        last = next((i for i, t in enumerate(reversed(trials)) if t.accuracy is not None), len(trials))
        return judged >= self.plan.evaluations or last > MOST_REJECTED

    def trials(self) -> list[Trial]:
        """All candidates, each once, in order."""
        return [_trial(t) for t in self._finished() if not t.user_attrs[PROPOSED]["repeated"]]

    def correlation(self) -> float | None:
        """Of the predictor that last chose: Spearman's, on held-out candidates."""
        found = [t.user_attrs[PROPOSED]["correlation"] for t in self._finished()]
        return next((float(c) for c in reversed(found) if c is not None), None)

    def front(self) -> list[Trial]:
        """Judged trials that no other beats in accuracy and every objective at once, the most accurate first."""
        return pareto(self._judged(), self.plan.objectives)

    def finalists(self, count: int) -> list[Trial]:
        """``count`` of the judged trials to train on, see ``trial.finalists``."""
        return finalists(self._judged(), self.front(), count)

    def _judged(self) -> Iterator[Trial]:
        return (trial for trial in self.trials() if trial.accuracy is not None and not trial.broken)

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


def _slot(frozen: Any) -> int:
    return int(frozen.user_attrs[PROPOSED]["slot"])


def _outcome(frozen: Any) -> Outcome:
    """For the proposer."""
    kept, trial = frozen.user_attrs[PROPOSED], _trial(frozen)
    complete = trial.accuracy is not None or bool(trial.broken)
    return Outcome(kept["params"], kept["system"], trial.cost, trial.broken, trial.accuracy, complete)


def _trial(frozen: Any) -> Trial:
    """What is kept of Optuna's trial: as it was judged, else as it was proposed."""
    kept = frozen.user_attrs[PROPOSED]
    found = frozen.user_attrs.get(OUTCOME, {"cost": kept["cost"], "broken": kept["broken"], "accuracy": None})
    return Trial(
        number=int(kept["slot"]),
        candidate=Candidate(tuple(kept["candidate"])),
        cost=Cost(**found["cost"]),
        accuracy=found["accuracy"],
        broken=found["broken"],
        predicted=kept["predicted"],
    )
