"""Training of the supernet, with a checkpoint after every epoch.

First the largest network alone, then channels are sorted, then sub-networks by a recipe (see ``recipes``). What an
epoch does follows from the seed and its number alone, so a run that is continued ends as one that was not interrupted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from tinyforge.ir.types import Array
from tinyforge.search.augment import augmentation, soft_labels
from tinyforge.search.channel_order import channel_groups, moved, sorted_channels
from tinyforge.search.dataset import Dataset
from tinyforge.search.files import load_arrays, save_arrays
from tinyforge.search.recipes import SAMPLERS, Recipe
from tinyforge.search.space import Candidate, extreme
from tinyforge.search.supernet import Supernet

CHECKPOINT = "supernet.npz"


class Report(Protocol):
    """Called with what is done, how much of it, and of how much."""

    def __call__(self, what: str, done: int = 0, total: int = 0) -> None: ...


class Trainer:
    """A supernet with its optimiser (Adam, decoupled weight decay, cosine rate). only: the one sub-network to train, by
    the labels alone; else those of the recipe."""

    def __init__(self, net: Supernet, data: Dataset, recipe: Recipe, seed: int, only: Candidate | None = None) -> None:
        self.net, self.data, self.recipe, self.seed, self.only = net, data, recipe, seed, only
        self.tf = tf = net.tf
        zeros = {n: np.zeros(v.shape, np.float32) for n, v in net.variables.items()}
        self.first = {n: tf.Variable(z) for n, z in zeros.items()}
        self.second = {n: tf.Variable(z) for n, z in zeros.items()}
        self.sums = {n: tf.Variable(z) for n, z in zeros.items()}
        self.epoch = self.updates = 0
        self.augment = augmentation(recipe.augment, data.kind, data.shape[2], data.scaling)
        signature = (
            tf.TensorSpec((None, *data.shape)),
            tf.TensorSpec((None, len(data.classes))),
            tf.TensorSpec((len(net.space.genes),), tf.int32),
        )
        self._gradients = tf.function(self._add_gradients, input_signature=signature)
        self._apply = tf.function(self._update, input_signature=(tf.TensorSpec(()),) * 3)

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return max(1, math.ceil(len(self.data.train) / self.recipe.batch))

    @property
    def traces(self) -> int:
        """How often the network was traced: once, whatever the sub-networks."""
        return int(self._gradients.experimental_get_tracing_count())

    def run(self, checkpoint: Path | None, tell: Report, what: str = "training the supernet") -> None:
        """Train until the last epoch, from the file ``checkpoint`` where there is one; None keeps nothing."""
        if checkpoint is not None:
            self.restore(checkpoint)
        total = self.recipe.epochs * self.steps
        while self.epoch < self.recipe.epochs:
            if self.epoch and self.epoch == self.recipe.first_epochs:
                self.sort_channels()
            for step, (x, targets) in enumerate(self._batches()):
                done = self.epoch * self.steps + step
                self._step(x, targets, done, total)
                tell(what, done + 1, total)
            self.epoch += 1
            if checkpoint is not None:
                self.save(checkpoint)

    def _batches(self) -> Iterator[tuple[Array, Array]]:
        rng = np.random.default_rng([self.seed, 31, self.epoch])
        order = rng.permutation(len(self.data.train))
        # Of nearly equal sizes: a few samples left over would be normalised by themselves.
        for some in np.array_split(order, self.steps):
            part = self.data.train.take(some)
            targets = soft_labels(part.y, len(self.data.classes))
            yield self.augment(self.data.scaling.apply(part.x), targets, rng)

    def subnets(self, step: int) -> list[Candidate]:
        """The networks of a step."""
        if self.only is not None:
            return [self.only]
        if step < self.recipe.first_epochs * self.steps:
            return [extreme(self.net.space, -1)]
        rng = np.random.default_rng([self.seed, 37, step])
        return SAMPLERS[self.recipe.method](self.net.space, rng, self.recipe.subnets)

    def _step(self, x: Array, labels: Array, step: int, total: int) -> None:
        tf, rate = self.tf, self.recipe.rate_at(step, total)
        images, targets = tf.constant(x), tf.constant(labels)
        chosen = self.subnets(step)
        for number, candidate in enumerate(chosen):
            logits = self._gradients(images, targets, tf.constant(candidate.values, tf.int32))
            if number == 0 and self.recipe.distils:
                targets = tf.nn.softmax(logits)
            if not self.recipe.accumulates:
                self._advance(rate, 1)
        if self.recipe.accumulates:
            self._advance(rate, len(chosen))

    def _advance(self, rate: float, count: int) -> None:
        """One update by the mean of ``count`` networks' gradients."""
        self.updates += 1
        self._apply(*(self.tf.constant(float(v)) for v in (rate, self.updates, count)))

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

    def sort_channels(self) -> None:
        """The channels with the largest L1 norms first; the largest network computes what it did before."""
        groups = channel_groups(self.net.space)
        orders = sorted_channels({n: v.numpy() for n, v in self.net.variables.items()}, groups)
        for part in (self.net.variables, self.first, self.second):
            for name, array in moved({n: v.numpy() for n, v in part.items()}, groups, orders):
                part[name].assign(array)

    def save(self, checkpoint: Path) -> None:
        """Weights, optimiser and epoch, in one file that is never half written."""
        parts = {"w": self.net.variables, "m": self.first, "v": self.second}
        arrays = {f"{key}:{n}": v.numpy() for key, part in parts.items() for n, v in part.items()}
        save_arrays(checkpoint, {**arrays, "epoch": np.asarray([self.epoch, self.updates])})

    def restore(self, checkpoint: Path) -> None:
        """What ``save`` wrote, where it did."""
        if not checkpoint.is_file():
            return
        arrays = load_arrays(checkpoint)
        for key, part in (("w", self.net.variables), ("m", self.first), ("v", self.second)):
            for name, variable in part.items():
                variable.assign(arrays[f"{key}:{name}"])
        self.epoch, self.updates = (int(n) for n in arrays["epoch"])
