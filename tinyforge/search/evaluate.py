"""Accuracy of a sub-network with the supernet's weights, after its batch normalisation was calibrated."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from tinyforge.ir.types import Array
from tinyforge.search.dataset import Dataset, Samples
from tinyforge.search.space import Candidate
from tinyforge.search.supernet import Supernet

BATCH = 128


class Evaluator:
    """Measures candidates on the validation split. calibration: batches of 64 that statistics come from, drawn from
    the training split; most: validation samples used, all where None."""

    def __init__(self, net: Supernet, data: Dataset, seed: int, calibration: int = 4, most: int | None = None) -> None:
        self.net, self.data = net, data
        rng = np.random.default_rng([seed, 41])
        chosen = rng.permutation(len(data.train))[: 64 * calibration]
        self.calibration = [data.scaling.apply(data.train.x[part]) for part in _parts(chosen, 64)]
        held = data.validation
        self.held = held if most is None or most >= len(held) else held.take(rng.permutation(len(held))[:most])
        tf = net.tf
        signature = (tf.TensorSpec((None, *data.shape)), tf.TensorSpec((len(net.space.genes),), tf.int32))
        self._collect, self._classify = (
            tf.function(partial(net.forward, mode=mode), input_signature=signature)
            for mode in ("calibrate", "evaluate")
        )

    def calibrate(self, candidate: Candidate) -> dict[str, Array]:
        """Mean and variance of every normalised layer of the candidate, (2, channels of the largest network)."""
        tf, code = self.net.tf, self._code(candidate)
        for variable in self.net.statistics.values():
            variable.assign(tf.zeros_like(variable))
        for images in self.calibration:
            self._collect(tf.constant(images), code)
        for variable in self.net.statistics.values():
            variable.assign(variable / len(self.calibration))
        return {name: variable.numpy() for name, variable in self.net.statistics.items()}

    def accuracy(self, candidate: Candidate) -> float:
        """Part of the validation samples that the candidate gets right."""
        self.calibrate(candidate)
        return float((self.predictions(candidate, self.held) == self.held.y).mean())

    def predictions(self, candidate: Candidate, samples: Samples) -> Array:
        """Classes for ``samples``; the candidate must be calibrated."""
        tf, code, found = self.net.tf, self._code(candidate), []
        for part in _parts(np.arange(len(samples)), BATCH):
            images = tf.constant(self.data.scaling.apply(samples.x[part]))
            found.append(self._classify(images, code).numpy().argmax(1))
        return np.concatenate(found)

    def _code(self, candidate: Candidate) -> Any:
        return self.net.tf.constant(candidate.values, self.net.tf.int32)


def _parts(index: Array, size: int) -> list[Array]:
    return [index[i : i + size] for i in range(0, len(index), size)]
