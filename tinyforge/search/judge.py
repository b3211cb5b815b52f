"""How the study judges a candidate: an exact plan first, then the supernet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tinyforge.ir.types import Array
from tinyforge.search.architecture import architecture
from tinyforge.search.dataset import Dataset
from tinyforge.search.feasibility import BoardLimits, Cost, cost_of, first_cost, violations
from tinyforge.search.space import Candidate, SearchSpace
from tinyforge.search.study import Judge
from tinyforge.search.trial import Judgement

Accuracy = Callable[[Candidate], float]


@dataclass(frozen=True, slots=True)
class Costing:
    """Costs of candidates of ``space`` for samples of ``data``."""

    space: SearchSpace
    data: Dataset
    limits: BoardLimits

    def first(self, candidate: Candidate) -> Cost:
        """The fast level's cost."""
        return first_cost(architecture(self.space, candidate, self.data.shape, len(self.data.classes)), self.limits)

    def judge(self, accuracy: Accuracy) -> Judge:
        """Costs by an exact plan; ``accuracy`` of those that keep the limits."""

        def judged(candidate: Candidate) -> Judgement:
            network = architecture(self.space, candidate, self.data.shape, len(self.data.classes))
            cost = cost_of(network, self.limits)
            return Judgement(cost, None if violations(cost, self.limits) else accuracy(candidate))

        return judged


@dataclass(frozen=True, slots=True, eq=False)
class JudgeMaker:
    """What a judge is made of in another process; can be pickled.

    weights: of the trained supernet, by name. seed, calibration, held: as for Evaluator. threads: of TensorFlow.
    """

    costing: Costing
    weights: Mapping[str, Array]
    seed: int
    calibration: int
    held: int | None
    threads: int = 1

    def __call__(self) -> Judge:
        """A judge with a supernet of its own."""
        from tinyforge.search.backend import tensorflow
        from tinyforge.search.evaluate import Evaluator
        from tinyforge.search.supernet import Supernet

        tensorflow(self.threads)
        space, data = self.costing.space, self.costing.data
        net = Supernet(space, data.shape, len(data.classes), self.seed)
        for name, value in self.weights.items():
            net.variables[name].assign(value)
        evaluator = Evaluator(net, data, self.seed, self.calibration, self.held)
        return self.costing.judge(evaluator.accuracy)
