"""Files of class folders, and what the readers make of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np

from tinyforge.ir.types import Array
from tinyforge.search.dataset import Samples
from tinyforge.search.logmel import FrontEnd
from tinyforge.search.train import Report

Files = Sequence[tuple[Path, int]]
"""With the labels of their folders."""
READING = "reading the data"


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """parts: samples of each split, in the order they were asked for; what is common to them (sizes, columns) follows
    the first. notes: what the user should know of how the files were read. front_end: of sound."""

    kind: str
    parts: tuple[Samples, ...]
    notes: tuple[str, ...] = ()
    front_end: FrontEnd | None = None


def counted(splits: Sequence[Files], tell: Report) -> Callable[[], None]:
    """What to call for every file that is done: it tells how many are."""
    total, done = sum(len(files) for files in splits), count(1)
    return lambda: tell(READING, next(done), total)


def pieces_of(files: Files, pieces: Sequence[Array], numbers: Sequence[int]) -> Samples:
    """Samples cut from files, whose numbers are the samples' groups."""
    groups = np.asarray(numbers)
    return Samples(np.stack(pieces), labels_of(files)[groups], groups)


def labels_of(files: Files) -> Array:
    """(n,) int64."""
    return np.asarray([label for _, label in files], np.int64)
