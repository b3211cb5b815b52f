"""Training of the supernet: sandwich rule with in-place distillation, a checkpoint after every epoch.

Each step trains the largest network on the labels, then the smallest and random ones on the largest one's answers.
What an epoch does follows from the seed and its number alone, so a run that is continued ends as one that was not
interrupted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from tinyforge.ir.types import Array
from tinyforge.search.augment import augmentation
from tinyforge.search.dataset import Dataset
from tinyforge.search.files import load_arrays, save_arrays
from tinyforge.search.space import Candidate, extreme, random_candidate
from tinyforge.search.supernet import Supernet

SMOOTHING = 0.1
CHECKPOINT = "supernet.npz"


class Report(Protocol):
    """Called with what is done, how much of it, and of how much."""

    def __call__(self, what: str, done: int = 0, total: int = 0) -> None: ...


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the supernet is trained. randoms: random sub-networks a step, beside the largest and the smallest."""

    epochs: int
    batch: int = 64
    rate: float = 4e-3
    decay: float = 1e-4
    randoms: int = 2
    augment: str = "auto"


class Trainer:
    """A supernet with its optimiser (Adam, decoupled weight decay, cosine rate)."""

    def __init__(self, net: Supernet, data: Dataset, recipe: Recipe, seed: int) -> None:
        self.net, self.data, self.recipe, self.seed = net, data, recipe, seed
        self.tf = net.tf
        zeros = {n: np.zeros(v.shape, np.float32) for n, v in net.variables.items()}
        self.first = {n: self.tf.Variable(z) for n, z in zeros.items()}
        self.second = {n: self.tf.Variable(z) for n, z in zeros.items()}
        self.sums = {n: self.tf.Variable(z) for n, z in zeros.items()}
        self.epoch = 0
        self.augment = augmentation(recipe.augment, data.kind)
        self._gradients = self.tf.function(self._add_gradients, reduce_retracing=True)
        self._apply = self.tf.function(self._update)

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return max(1, math.ceil(len(self.data.train) / self.recipe.batch))

    def run(self, folder: Path, tell: Report) -> None:
        """Train until the last epoch, from the checkpoint in ``folder`` where there is one."""
        self.restore(folder)
        total = self.recipe.epochs * self.steps
        while self.epoch < self.recipe.epochs:
            for step, (x, y) in enumerate(self._batches()):
                done = self.epoch * self.steps + step
                self._step(x, y, done, total)
                tell("training the supernet", done + 1, total)
            self.epoch += 1
            self.save(folder)

    def _batches(self) -> Iterator[tuple[Array, Array]]:
        rng = np.random.default_rng([self.seed, 31, self.epoch])
        order = rng.permutation(len(self.data.train))
        for start in range(0, len(order), self.recipe.batch):
            part = self.data.train.take(order[start : start + self.recipe.batch])
            yield self.augment(self.data.scaling.apply(part.x), rng), part.y

    def subnets(self, step: int) -> list[Candidate]:
        """The largest, the smallest, and random ones."""
        rng = np.random.default_rng([self.seed, 37, step])
        space = self.net.space
        randoms = [random_candidate(space, rng) for _ in range(self.recipe.randoms)]
        return [extreme(space, -1), extreme(space, 0), *randoms]

    def _step(self, x: Array, y: Array, step: int, total: int) -> None:
        tf = self.tf
        images, labels = tf.constant(x), tf.one_hot(y, len(self.data.classes))
        targets = labels * (1 - SMOOTHING) + SMOOTHING / len(self.data.classes)
        chosen = self.subnets(step)
        for number, candidate in enumerate(chosen):
            logits = self._gradients(images, targets, tf.constant(candidate.values, tf.int32))
            if number == 0:
                targets = tf.nn.softmax(logits)
        rate = self.recipe.rate * 0.5 * (1 + math.cos(math.pi * step / total)) * min(1.0, (step + 1) / 20)
        self._apply(tf.constant(rate, tf.float32), tf.constant(float(step + 1)), tf.constant(float(len(chosen))))

    def _add_gradients(self, images: Any, targets: Any, code: Any) -> Any:
        """Adds a sub-network's gradients to ``sums``; its logits."""
        tf = self.tf
        with tf.GradientTape() as tape:
            logits = self.net.forward(images, code, "train")
            loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(targets, logits))
        found = tape.gradient(loss, self.net.variables, unconnected_gradients="zero")
        for name, gradient in found.items():
            self.sums[name].assign_add(gradient)
        return logits

    def _update(self, rate: Any, step: Any, count: Any) -> None:
        """One step of Adam by the mean of the gradients; ``sums`` are zero afterwards."""
        tf = self.tf
        for name, variable in self.net.variables.items():
            gradient = self.sums[name] / count
            first = self.first[name].assign(0.9 * self.first[name] + 0.1 * gradient)
            second = self.second[name].assign(0.99 * self.second[name] + 0.01 * tf.square(gradient))
            move = (first / (1 - 0.9**step)) / (tf.sqrt(second / (1 - 0.99**step)) + 1e-8)
            decay = self.recipe.decay * variable if name.endswith("kernel") else 0.0
            variable.assign_sub(rate * (move + decay))
            self.sums[name].assign(tf.zeros_like(self.sums[name]))

    def save(self, folder: Path) -> None:
        """Weights, optimiser and epoch, in one file that is never half written."""
        parts = {"w": self.net.variables, "m": self.first, "v": self.second}
        arrays = {f"{key}:{n}": v.numpy() for key, part in parts.items() for n, v in part.items()}
        save_arrays(folder / CHECKPOINT, {**arrays, "epoch": np.asarray(self.epoch)})

    def restore(self, folder: Path) -> None:
        """What ``save`` wrote, where it did."""
        path = folder / CHECKPOINT
        if not path.is_file():
            return
        arrays = load_arrays(path)
        for key, part in (("w", self.net.variables), ("m", self.first), ("v", self.second)):
            for name, variable in part.items():
                variable.assign(arrays[f"{key}:{name}"])
        self.epoch = int(arrays["epoch"])
