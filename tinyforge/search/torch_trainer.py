"""Finalists trained with PyTorch, all at once on one GPU.

Every step takes one batch through all networks side by side and ends with one update by AdamW. On a GPU the whole step
is one recorded graph with a branch for each network: a small network alone would keep it waiting. Labels,
augmentations, decay and rates are those of ``train``; batches are larger, with a rate to match, and the last part of
the epochs rounds as int8 does, so that no training with rounding need follow.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tinyforge.ir.types import Array
from tinyforge.search.architecture import Architecture, all_layers, architecture
from tinyforge.search.augment import mirrors
from tinyforge.search.dataset import Dataset
from tinyforge.search.files import load_arrays, save_arrays
from tinyforge.search.recipes import Recipe
from tinyforge.search.space import SearchSpace, extreme
from tinyforge.search.supernet import candidate_weights, initial_weights
from tinyforge.search.teacher import TEMPERATURE, Teacher
from tinyforge.search.torch_batches import Batches, ahead
from tinyforge.search.torch_network import TorchNetwork, pytorch
from tinyforge.search.train import Report

AWARE_PART = 0.1
"""The last part of the epochs, which rounds as int8 does."""
TEACHER_PART = 0.5
"""Epochs of a teacher over those of finalists."""
LARGER, LEAST_STEPS = 4, 100
"""Batches over those of TensorFlow at most, and the steps an epoch keeps; the rate grows by the square root."""
SAVED_EVERY = 30.0
"""Seconds between checkpoints, at least."""
WARM_STEPS = 3
"""Steps before one is recorded; they change nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """A network to train and its first weights, as ``candidate_weights`` gives them."""

    architecture: Architecture
    weights: Mapping[str, Array]


@dataclass(frozen=True, slots=True, eq=False)
class Lessons:
    """The teacher is the largest network of ``space``; its weights are kept in ``file``."""

    file: Path
    space: SearchSpace


def has_gpu() -> bool:
    """Whether PyTorch is installed and sees a GPU."""
    try:
        import torch
    except ImportError:
        return False
    return bool(torch.cuda.is_available())


def device_of(torch: Any) -> Any:
    """The GPU where PyTorch sees one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def larger(recipe: Recipe, samples: int) -> Recipe:
    """``recipe`` with the batches and the rate that a GPU is used well with, for so many training samples."""
    times = min(LARGER, max(1, samples // (LEAST_STEPS * recipe.batch)))
    return replace(recipe, batch=recipe.batch * times, rate=recipe.rate * math.sqrt(times))


def train_together(
    starts: Mapping[Path, Start],
    data: Dataset,
    recipe: Recipe,
    seed: int,
    checkpoint: Path,
    tell: Report,
    threads: int | None = None,
    lessons: Lessons | None = None,
) -> None:
    """Train all networks and write the weights of each to its file; those that have one are left out.

    checkpoint: file that training goes on from. lessons: of the teacher whose answers they learn; without them the
    networks learn the labels.
    """
    missing = {file: start for file, start in starts.items() if not file.is_file()}
    if missing:
        pytorch(threads)
        teacher = None if lessons is None else _teacher(lessons, data, recipe, seed, checkpoint, tell)
        trained = TorchTrainer(list(missing.values()), data, recipe, seed, teacher=teacher).run(checkpoint, tell)
        for file, weights in zip(missing, trained, strict=True):
            file.parent.mkdir(parents=True, exist_ok=True)
            save_arrays(file, weights)
        checkpoint.unlink(missing_ok=True)


def _teacher(lessons: Lessons, data: Dataset, recipe: Recipe, seed: int, checkpoint: Path, tell: Report) -> Teacher:
    """The teacher of ``lessons``, trained where its file is not there."""
    classes, space = len(data.classes), lessons.space
    network = architecture(space, extreme(space, -1), data.shape, classes)
    known = lessons.file.is_file()
    if not known:
        first = initial_weights(all_layers(space, data.shape, classes), seed)
        own = replace(recipe, epochs=max(1, round(recipe.epochs * TEACHER_PART)))
        trainer = TorchTrainer([Start(network, candidate_weights(network, first))], data, own, seed, aware=0)
        save_arrays(lessons.file, trainer.run(checkpoint, lambda _, *done: tell("training the teacher", *done))[0])
    trained = TorchNetwork(network, load_arrays(lessons.file), device_of(pytorch()))
    teacher = Teacher(trained, mirrors(recipe.augment, data.kind, data.shape[2]))
    if not known:
        tell(f"the teacher knows {teacher.accuracy(data, seed):.1%} of the validation samples")
    return teacher


class TorchTrainer:
    """Networks that are trained together on ``data``; ``recipe`` as for ``Trainer``. device: by default a GPU where
    PyTorch sees one. teacher: whose answers they learn instead of the labels. aware: the last part of the epochs, in
    which they round as int8 does."""

    def __init__(
        self,
        starts: Sequence[Start],
        data: Dataset,
        recipe: Recipe,
        seed: int,
        device: str | None = None,
        teacher: Teacher | None = None,
        aware: float = AWARE_PART,
    ) -> None:
        self.torch = torch = pytorch()
        self.recipe = recipe
        self.device = torch.device(device) if device else device_of(torch)
        torch.manual_seed(seed)
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        self.networks = [TorchNetwork(start.architecture, start.weights, self.device) for start in starts]
        named = [(name, value) for network in self.networks for name, value in network.parameters.items()]
        groups = [
            {"params": [v for n, v in named if n.endswith("kernel") == decays], "weight_decay": decay}
            for decays, decay in ((True, recipe.decay), (False, 0.0))
        ]
        gpu = self.device.type == "cuda"
        rate = torch.zeros((), device=self.device)
        self.optimiser = torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.99), eps=1e-8, capturable=gpu, foreach=gpu)
        self.teacher, self.aware = teacher, aware
        self.batches = Batches(data, recipe.batch, recipe.augment, seed)
        self.epoch = 0

    @property
    def plain_epochs(self) -> int:
        """Epochs without rounding."""
        return math.ceil(self.recipe.epochs * (1 - self.aware))

    def run(self, checkpoint: Path | None, tell: Report) -> list[dict[str, Array]]:
        """Train to the last epoch, from the file ``checkpoint`` where there is one; each network's weights."""
        if checkpoint is not None and checkpoint.is_file():
            self._restore(checkpoint)
        for end, rounding in ((self.plain_epochs, False), (self.recipe.epochs, True)):
            if self.epoch < end:
                self._phase(end, rounding, checkpoint, tell)
        return [network.weights() for network in self.networks]

    def _phase(self, end: int, rounding: bool, checkpoint: Path | None, tell: Report) -> None:
        steps, saved = self.batches.steps, time.monotonic()
        total = self.recipe.epochs * steps
        for network in self.networks:
            network.rounding = rounding
        step, number = None, self.epoch * steps
        for images, labels in ahead(self.batches.epochs(self.epoch, end)):
            if step is None:
                step = _Step(self, images, labels)
            self._set_rate(self.recipe.rate_at(number, total))
            step.run(images, labels)
            number += 1
            tell("training finalists", number, total)
            if number % steps == 0:
                self.epoch += 1
                late = time.monotonic() - saved > SAVED_EVERY
                if checkpoint is not None and (late or self.epoch == end):
                    self._save(checkpoint)
                    saved = time.monotonic()

    def _set_rate(self, rate: float) -> None:
        for group in self.optimiser.param_groups:
            group["lr"].fill_(rate)

    def targets(self, images: Any, labels: Any) -> Any:
        """What the networks are to answer: the labels, or what the teacher says."""
        return labels if self.teacher is None else self.teacher.answers(images)

    def loss(self, network: TorchNetwork, images: Any, targets: Any) -> Any:
        """Cross entropy of one network; with a teacher both are softened (Hinton et al. 2015)."""
        # Sixteen bits carry the sums well enough until rounding matters.
        half = self.device.type == "cuda" and not network.rounding
        short = self.torch.autocast("cuda", self.torch.bfloat16, cache_enabled=False) if half else nullcontext()
        with short:
            logits = network.forward(images)
        soft = 1.0 if self.teacher is None else TEMPERATURE
        return soft**2 * self.torch.nn.functional.cross_entropy(logits.float() / soft, targets)

    def _state(self) -> Iterator[tuple[str, Any]]:
        """Every tensor that changes, by name."""
        for i, network in enumerate(self.networks):
            for name, value in network.parameters.items():
                yield f"{i}:w:{name}", value
                for part, kept in self.optimiser.state.get(value, {}).items():
                    yield f"{i}:{part}:{name}", kept
            for name, value in network.ranges.items():
                yield f"{i}:range:{name}", value

    def _save(self, checkpoint: Path) -> None:
        arrays = {name: value.detach().cpu().numpy() for name, value in self._state()}
        save_arrays(checkpoint, {**arrays, "epoch": np.asarray([self.epoch])})

    def _restore(self, checkpoint: Path) -> None:
        arrays = load_arrays(checkpoint)
        self._start_optimiser()
        state = dict(self._state())
        if {n: tuple(v.shape) for n, v in state.items()} != {n: a.shape for n, a in arrays.items() if n != "epoch"}:
            return  # It is of other networks.
        self.epoch = int(arrays["epoch"][0])
        with self.torch.no_grad():
            for name, value in state.items():
                value.copy_(self.torch.from_numpy(arrays[name]))

    def _start_optimiser(self) -> None:
        """An update of nothing, after which the optimiser's state is there, all zeros."""
        if self.optimiser.state:
            return
        for network in self.networks:
            for value in network.parameters.values():
                value.grad = self.torch.zeros_like(value)
        self.optimiser.step()
        for kept in self.optimiser.state.values():
            for part in kept.values():
                part.zero_()


class _Step:
    """One step of all networks. On a GPU it is recorded once and then repeated."""

    def __init__(self, trainer: TorchTrainer, images: Array, labels: Array) -> None:
        self.trainer, torch = trainer, trainer.torch
        self.images, self.labels = (torch.tensor(value, device=trainer.device) for value in (images, labels))
        self.graph = None
        if trainer.device.type == "cuda":
            self.streams = [torch.cuda.Stream() for _ in trainer.networks]
            self._record()

    def run(self, images: Array, labels: Array) -> None:
        """Take the batch."""
        torch = self.trainer.torch
        self.images.copy_(torch.from_numpy(np.ascontiguousarray(images)))
        self.labels.copy_(torch.from_numpy(np.ascontiguousarray(labels)))
        if self.graph is None:
            self._go()
        else:
            self.graph.replay()

    def _go(self) -> None:
        trainer = self.trainer
        trainer.optimiser.zero_grad(set_to_none=True)
        targets = trainer.targets(self.images, self.labels)
        if trainer.device.type != "cuda":
            for network in trainer.networks:
                trainer.loss(network, self.images, targets).backward()
        else:
            here = trainer.torch.cuda.current_stream()
            for network, stream in zip(trainer.networks, self.streams, strict=True):
                stream.wait_stream(here)
                with trainer.torch.cuda.stream(stream):
                    trainer.loss(network, self.images, targets).backward()
            for stream in self.streams:
                here.wait_stream(stream)
        trainer.optimiser.step()

    def _record(self) -> None:
        """Warm up, put everything back, and record."""
        torch, trainer = self.trainer.torch, self.trainer
        trainer._start_optimiser()
        before = {name: value.detach().clone() for name, value in trainer._state()}
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARM_STEPS):
                self._go()
        torch.cuda.current_stream().wait_stream(side)
        torch.cuda.synchronize()
        with torch.no_grad():
            for name, value in trainer._state():
                value.copy_(before[name])
        trainer.optimiser.zero_grad(set_to_none=True)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self._go()
