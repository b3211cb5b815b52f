"""A finalist becomes a model file: trained on with the supernet's weights, then quantised to int8."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tinyforge.ir.types import Array
from tinyforge.search.architecture import Architecture, architecture
from tinyforge.search.dataset import Dataset, Floats, Samples, resized
from tinyforge.search.evaluate import Evaluator
from tinyforge.search.files import load_arrays
from tinyforge.search.keras_model import CALIBRATION_SAMPLES, accuracy, build_model, convert_int8, set_weights
from tinyforge.search.recipes import Recipe
from tinyforge.search.reference import reference_outputs
from tinyforge.search.space import Candidate
from tinyforge.search.supernet import Supernet, candidate_weights
from tinyforge.search.train import Report, Trainer

AWARE_RATE = 5e-4
"""Highest learning rate with rounding."""
CALIBRATION = 20
"""Batches that normalisation is calibrated with."""
INT8_LOSS = 0.005
"""Accuracy lost by quantisation from which training goes on with rounding in it, ..."""
AWARE_PART = 4
"""... for one in so many of the epochs."""


@dataclass(frozen=True, slots=True, eq=False)
class Finalist:
    """model: the Keras model; content: its int8 ``.tflite``; held: int8 inputs and outputs of that for the validation
    split. Accuracies on the validation split: of the float model, of the file, and of the file before training with
    rounding, None where that was not needed."""

    model: Any
    content: bytes
    held: tuple[Array, Array]
    float_accuracy: float
    int8_accuracy: float
    before_aware: float | None = None


def network_input(data: Dataset, samples: Samples, architecture: Architecture) -> Floats:
    """Scaled samples at the architecture's resolution and channels, float32."""
    return data.scaling.apply(resized(samples.x, architecture.input_shape))


@dataclass(frozen=True, slots=True, eq=False)
class Tuner:
    """Trains finalists of one supernet, whose weights stay as they are. seed: of the finalist. int8_loss: accuracy
    that quantisation may cost. threads: that the int8 model is run in, all of the machine's by default."""

    net: Supernet
    data: Dataset
    recipe: Recipe
    seed: int
    tell: Report
    int8_loss: float = INT8_LOSS
    threads: int | None = None

    def make(self, candidate: Candidate, checkpoint: Path, trained: Path | None = None) -> Finalist:
        """Train ``candidate`` from the supernet's weights and quantise it; once more with rounding where that cost
        more than ``int8_loss``, and the better one is kept. A finished epoch is in ``checkpoint``. trained: a file
        with weights that ``torch_trainer`` made, rounding included: where it is there, it is all that is needed."""
        with _kept_weights(self.net):
            if trained is not None and trained.is_file():
                self._take(candidate, trained)
                return self._quantised(candidate)
            self._train(candidate, self.recipe, checkpoint, "training a finalist")
            plain = self._quantised(candidate)
            if plain.float_accuracy - plain.int8_accuracy <= self.int8_loss:
                return plain
            self.net.fake_quant = self.net.make_fake_quant()
            less = replace(self.recipe, epochs=-(-self.recipe.epochs // AWARE_PART), rate=AWARE_RATE)
            self._train(candidate, less, None, "training a finalist with rounding")
            aware = self._quantised(candidate)
            better = aware if aware.int8_accuracy > plain.int8_accuracy else plain
            return replace(better, before_aware=plain.int8_accuracy)

    def _take(self, candidate: Candidate, trained: Path) -> None:
        """Give the supernet the candidate's weights from a file."""
        network = architecture(self.net.space, candidate, self.data.shape, len(self.data.classes))
        arrays, whole = load_arrays(trained), {name: v.numpy() for name, v in self.net.variables.items()}
        for name, part in candidate_weights(network, whole).items():
            part[...] = arrays[name]
        for name, value in whole.items():
            self.net.variables[name].assign(value)

    def _train(self, candidate: Candidate, recipe: Recipe, checkpoint: Path | None, what: str) -> None:
        Trainer(self.net, self.data, recipe, self.seed, candidate).run(checkpoint, self.tell, what)

    def _quantised(self, candidate: Candidate) -> Finalist:
        data = self.data
        network = architecture(self.net.space, candidate, data.shape, len(data.classes))
        statistics = Evaluator(self.net, data, self.seed, CALIBRATION).calibrate(candidate)
        model = build_model(network)
        set_weights(model, network, {name: v.numpy() for name, v in self.net.variables.items()}, statistics)
        self.tell("quantising")
        some = np.random.default_rng([self.seed, 47]).permutation(len(data.train))[:CALIBRATION_SAMPLES]
        content = convert_int8(model, network, network_input(data, data.train.take(some), network))
        held = network_input(data, data.validation, network)
        known = reference_outputs(content, held, self.tell, "judging the int8 model", self.threads)
        right = float(right_answers(known[1], data.validation.y).mean())
        return Finalist(model, content, known, accuracy(model, held, data.validation.y), right)


def right_answers(outputs: Array, labels: Array) -> Array:
    """Which samples a network gets right, (n,) bool, by its outputs (n, ..., classes)."""
    found: Array = outputs.reshape(len(labels), -1).argmax(1) == labels
    return found


def told_apart(better: Array, other: Array) -> bool:
    """Whether samples show that one network is better than another, by which of them each gets right, (n,) bool: the
    difference is more than its standard error. Samples that both get right or wrong say nothing (McNemar 1947)."""
    lost, won = int(np.sum(np.greater(better, other))), int(np.sum(np.greater(other, better)))
    return lost - won > math.sqrt(lost + won)


@contextmanager
def _kept_weights(net: Supernet) -> Iterator[None]:
    """The supernet is as it was afterwards."""
    before = {name: v.numpy() for name, v in net.variables.items()}
    try:
        yield
    finally:
        net.fake_quant = None
        for name, variable in net.variables.items():
            variable.assign(before[name])
