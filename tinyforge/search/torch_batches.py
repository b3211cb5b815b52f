"""Batches of augmented samples for PyTorch, made while the GPU works."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np

from tinyforge.ir.types import Array
from tinyforge.search.augment import augmentation, soft_labels
from tinyforge.search.dataset import Dataset

WAITING = 16
"""Batches made ahead."""


class Batches:
    """Training samples of ``data`` in batches of one size, in another order in each epoch; ``augment`` as in
    ``Recipe``."""

    def __init__(self, data: Dataset, size: int, augment: str, seed: int) -> None:
        self.data, self.size, self.seed = data, size, seed
        self.augment = augmentation(augment, data.kind, data.shape[2], data.scaling)

    @property
    def steps(self) -> int:
        """Batches of an epoch; what is left over comes in another one, since recorded steps have one size."""
        return max(1, len(self.data.train) // self.size)

    def epochs(self, first: int, end: int) -> Iterator[tuple[Array, Array]]:
        """Scaled samples (n, channels, rows, columns) and smoothed labels (n, classes) of the epochs first..end - 1."""
        for epoch in range(first, end):
            rng = np.random.default_rng([self.seed, 31, epoch])
            order = rng.permutation(len(self.data.train))
            for number in range(self.steps):
                part = self.data.train.take(order[number * self.size :][: self.size])
                labels = soft_labels(part.y, len(self.data.classes))
                x, labels = self.augment(self.data.scaling.apply(part.x), labels, rng)
                yield x.transpose(0, 3, 1, 2), labels


def ahead(batches: Iterator[tuple[Array, Array]]) -> Iterator[tuple[Array, Array]]:
    """``batches``, made by another thread while the GPU works. Its error is raised here."""
    waiting: queue.Queue[Any] = queue.Queue(WAITING)
    stop = threading.Event()

    def put(item: Any) -> bool:
        while not stop.is_set():
            try:
                waiting.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def make() -> None:
        try:
            for batch in batches:
                if not put(batch):
                    return
            put(None)
        except BaseException as error:
            put(error)

    thread = threading.Thread(target=make, daemon=True)
    thread.start()
    try:
        while (item := waiting.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        thread.join()
