"""What a search will train and judge, and how long that takes, before it is begun."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tinyforge.search.dataset import Dataset
from tinyforge.search.narrow import Narrowed
from tinyforge.search.settings import REFIT_TIMES, Budget

SUBNETS = 4
"""Networks a training step sees."""
BEGIN_S = 25.0
"""To load TensorFlow and to trace the supernet."""
NETWORK_S, MACS_A_S = 0.008, 6e9
"""Of one network in one training step: a fixed part, and multiply-accumulates a second. Measured on two cores of a
server."""
JUDGEMENT_S = 0.3
FINISH_S = 15.0
"""To convert, compile and run a finalist."""


@dataclass(frozen=True, slots=True)
class Seconds:
    """Estimated for two cores."""

    supernet: float
    study: float
    finalists: float

    @property
    def words(self) -> str:
        """``about 12 minutes``."""
        total = self.supernet + self.study + self.finalists
        if total < 5400:
            return f"about {max(1, round(total / 60))} minutes"
        return f"about {total / 3600:.1f} hours"


def estimated_seconds(data: Dataset, budget: Budget, macs: int) -> Seconds:
    """macs: of the space's largest network; the mean one is taken to have half of them."""
    steps = budget.epochs(data, budget.steps) * -(-len(data.train) // budget.batch)
    # Backward is twice forward.
    a_network = NETWORK_S + 3 * budget.batch * macs / 2 / MACS_A_S
    trainings = float(budget.finalists)
    if budget.refit:
        trainings += REFIT_TIMES * (1 + len(data.validation) / len(data.train))
    held = min(budget.held, len(data.validation)) + 64 * budget.calibration
    return Seconds(
        supernet=BEGIN_S + steps * SUBNETS * a_network,
        study=budget.evaluations * (JUDGEMENT_S + held * macs / 2 / MACS_A_S),
        finalists=trainings * (FINISH_S + budget.fine_steps * a_network),
    )


def forecast(data: Dataset, budget: Budget, narrowed: Narrowed) -> dict[str, Any]:
    """What will be done, and the work in it."""
    epochs, macs = budget.epochs(data, budget.steps), narrowed.macs[1]
    seconds = estimated_seconds(data, budget, macs)
    return {
        "data": data.name,
        "kind": data.kind,
        "shape": list(data.shape),
        "notes": list(data.notes),
        "train": len(data.train),
        "validation": len(data.validation),
        "test": len(data.test),
        "networks": narrowed.space.size,
        "fitting": narrowed.fitting,
        "sampled": narrowed.sampled,
        "largest_macs": macs,
        "epochs": epochs,
        "training_macs": 3 * epochs * len(data.train) * SUBNETS * macs // 2,
        "evaluations": budget.evaluations,
        "finalists": budget.finalists,
        "refit": budget.refit,
        "seconds": {n: round(getattr(seconds, n)) for n in ("supernet", "study", "finalists")},
        "expect": seconds.words,
    }
