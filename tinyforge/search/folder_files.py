"""Files of class folders, and what the readers make of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinyforge.ir.types import Array
from tinyforge.search.dataset import Samples
from tinyforge.search.logmel import FrontEnd

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


def labels_of(files: Files) -> Array:
    """(n,) int64."""
    return np.asarray([label for _, label in files], np.int64)
