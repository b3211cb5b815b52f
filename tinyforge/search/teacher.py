"""A large network that smaller ones learn from: they see the same changed samples and learn its answers instead of the
labels (knowledge distillation: Hinton et al. 2015; for long and with the same view of a sample: Beyer et al. 2022)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyforge.search.dataset import Dataset
from tinyforge.search.torch_network import TorchNetwork

TEMPERATURE = 2.0
"""That the logits of both are divided by."""
TAKEN = 250
"""Samples that are normalised together where accuracy is measured."""


@dataclass(frozen=True, slots=True, eq=False)
class Teacher:
    """network: trained. mirrored: whether its answer is the mean of those to a sample and to its mirror image."""

    network: TorchNetwork
    mirrored: bool

    def logits(self, images: Any) -> Any:
        """(n, classes) float32 of scaled samples (n, channels, rows, columns), which are normalised together."""
        torch = self.network.torch
        half = images.device.type == "cuda"
        with torch.no_grad(), torch.autocast(images.device.type, torch.bfloat16, enabled=half, cache_enabled=False):
            made = self.network.forward(images).float()
            return (made + self.network.forward(images.flip(3)).float()) / 2 if self.mirrored else made

    def answers(self, images: Any) -> Any:
        """Softened probabilities of the classes, (n, classes)."""
        return self.network.torch.softmax(self.logits(images) / TEMPERATURE, 1)

    def accuracy(self, data: Dataset, seed: int) -> float:
        """On the validation samples, shuffled because they are normalised together."""
        torch, held = self.network.torch, data.validation
        order = np.random.default_rng([seed, 37]).permutation(len(held))
        device = next(iter(self.network.parameters.values())).device
        right = 0
        for first in range(0, len(held), TAKEN):
            part = held.take(order[first : first + TAKEN])
            x = np.ascontiguousarray(data.scaling.apply(part.x).transpose(0, 3, 1, 2))
            guesses = self.logits(torch.from_numpy(x).to(device)).argmax(1).cpu().numpy()
            right += int((guesses == part.y).sum())
        return right / len(held)
