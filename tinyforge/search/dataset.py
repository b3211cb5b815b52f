"""Samples with labels in three splits that share nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tinyforge.errors import UsageError
from tinyforge.ir.types import Array
from tinyforge.search.logmel import FrontEnd

Floats = npt.NDArray[np.float32]
KINDS = ("image", "spectrogram", "signal")
VALIDATION_PART, TEST_PART = 0.15, 0.2


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """x: (n, rows, columns, channels) uint8 0..255, int8 (features that were quantised before) or float32. y: (n,)
    int64 class indices from 0. groups: (n,) numbers of what samples come from (a recording, a speaker), which never
    ends up in two splits; None where each sample stands for itself."""

    x: Array
    y: Array
    groups: Array | None = None

    def __len__(self) -> int:
        return len(self.y)

    def take(self, index: Array) -> Samples:
        """The samples at ``index``."""
        return Samples(self.x[index], self.y[index], None if self.groups is None else self.groups[index])


@dataclass(frozen=True, slots=True, eq=False)
class RawData:
    """What a loader found. test, validation: None where the source has no such split of its own. front_end: what made
    the features of sound; None where that is not known. notes: what the user should know of how it was read."""

    name: str
    kind: str
    train: Samples
    test: Samples | None
    classes: tuple[str, ...]
    front_end: FrontEnd | None = None
    validation: Samples | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scaling:
    """How stored samples become the network's input: (x - mean) / std for each channel.

    One entry a channel, or one for all.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def apply(self, x: Array) -> Floats:
        """float32, same shape."""
        mean, std = np.asarray(self.mean, np.float32), np.asarray(self.std, np.float32)
        return np.asarray((x.astype(np.float32) - mean) / std, np.float32)


def photographs(kind: str, channels: int) -> bool:
    """Whether samples are images with colours: digits and letters come in shades of grey."""
    return kind == "image" and channels == 3


PIXELS = Scaling((0.0,), (255.0,))


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """train is learnt from, validation decides, test is looked at once. All three as stored; ``scaling`` makes them
    the network's input. notes: as in ``RawData``."""

    name: str
    kind: str
    train: Samples
    validation: Samples
    test: Samples
    classes: tuple[str, ...]
    scaling: Scaling
    front_end: FrontEnd | None = None
    notes: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int, int]:
        """Rows, columns and channels of a sample."""
        rows, cols, channels = self.train.x.shape[1:]
        return rows, cols, channels

    @property
    def dims(self) -> int:
        """1 for signals, 2 for what has rows and columns."""
        return 1 if self.kind == "signal" else 2

    def joined(self) -> Dataset:
        """The same with the validation samples among the training samples too; scaling and test as they are."""
        both = (self.train, self.validation)
        x, y = np.concatenate([s.x for s in both]), np.concatenate([s.y for s in both])
        return replace(self, train=Samples(x, y))

    def digest(self) -> str:
        """SHA-256 of all samples and labels, in order."""
        h = hashlib.sha256()
        for part in (self.train, self.validation, self.test):
            h.update(np.ascontiguousarray(part.x).tobytes())
            h.update(np.ascontiguousarray(part.y).tobytes())
        return h.hexdigest()


def make_dataset(raw: RawData, seed: int) -> Dataset:
    """Split ``raw``: a test part where it has none, then a validation part, where it has none, of what is left for
    training.

    Equal samples and samples of one group stay together. Raises UsageError for data too small to split.
    """
    _check(raw)
    rng = np.random.default_rng([seed, 17])
    train, validation, test = raw.train, raw.validation, raw.test
    if test is None:
        train, test = _split(train, TEST_PART, rng)
    train = _without(train, test)
    if validation is None:
        train, validation = _split(train, VALIDATION_PART, rng)
    else:
        validation = _without(validation, test)
        train = _without(train, validation)
    _check_parts(raw, train, validation, test)
    scaling = PIXELS if train.x.dtype == np.uint8 else _standardise(train.x)
    return Dataset(raw.name, raw.kind, train, validation, test, raw.classes, scaling, raw.front_end, raw.notes)


def _check(raw: RawData) -> None:
    counts = np.bincount(raw.train.y.astype(np.int64), minlength=len(raw.classes))
    if len(raw.classes) < 2:
        raise UsageError(f"{raw.name}: a classifier needs two classes or more, found: {', '.join(raw.classes)}")
    for part in (raw.validation, raw.test):
        if part is not None and part.x.shape[1:] != raw.train.x.shape[1:]:
            raise UsageError(f"{raw.name}: training samples of {raw.train.x.shape[1:]}, others of {part.x.shape[1:]}")
    poor = [name for name, count in zip(raw.classes, counts, strict=False) if count < 4]
    if poor:
        raise UsageError(f"{raw.name}: fewer than 4 training samples of {', '.join(poor[:5])}; give more of them")


def _check_parts(raw: RawData, *parts: Samples) -> None:
    """What is left when samples that occur in two splits are in one."""
    for name, part in zip(("training", "validation", "test"), parts, strict=True):
        if not len(part):
            raise UsageError(f"{raw.name}: no {name} samples are left, for all of them are in another split too")


def _standardise(x: Array) -> Scaling:
    values = x.astype(np.float64)
    mean, std = values.mean((0, 1, 2)), values.std((0, 1, 2))
    return Scaling(tuple(map(float, mean)), tuple(float(s) if s > 1e-6 else 1.0 for s in std))


def _keys(samples: Samples) -> list[str]:
    """What a sample must not be separated from: its content, or that of its whole group. So two copies of a recording
    stay together too, but not all recordings that have a second of silence."""
    content = [hashlib.sha256(np.ascontiguousarray(x).tobytes()) for x in samples.x]
    if samples.groups is None:
        return [h.hexdigest() for h in content]
    numbers = samples.groups.tolist()
    groups = {number: hashlib.sha256() for number in numbers}
    for number, h in zip(numbers, content, strict=True):
        groups[number].update(h.digest())
    return [groups[number].hexdigest() for number in numbers]


def _without(train: Samples, held: Samples) -> Samples:
    """Training samples that are not in another split too."""
    known = set(_keys(held))
    kept = np.asarray([key not in known for key in _keys(train)])
    return train if kept.all() else train.take(np.flatnonzero(kept))


def _split(samples: Samples, part: float, rng: np.random.Generator) -> tuple[Samples, Samples]:
    """Two parts with the classes in the same proportions; ``part`` of each class (at least one) goes to the second."""
    keys = np.asarray(_keys(samples))
    second = np.zeros(len(samples), bool)
    for label in np.unique(samples.y):
        members = np.flatnonzero((samples.y == label) & ~second)
        wanted = max(1, round(part * len(members)))
        groups = list(dict.fromkeys(keys[members].tolist()))
        for g in rng.permutation(len(groups)):
            if second[members].sum() >= wanted:
                break
            second |= keys == groups[int(g)]
    if second.all() or not second.any():
        raise UsageError("all samples belong to one group, so none can be held back; give data of several recordings")
    return samples.take(np.flatnonzero(~second)), samples.take(np.flatnonzero(second))


def resized(x: Array, shape: Sequence[int]) -> Array:
    """Samples (n, rows, columns, channels) at other rows, columns and channels.

    Bilinear with half-pixel centres, as the supernet sees them; fewer channels are the mean of all.
    uint8 stays uint8, rounded.
    """
    rows, cols, channels = shape
    made = x
    if x.shape[3] != channels:
        made = np.repeat(x.astype(np.float32).mean(3, keepdims=True), channels, axis=3)
    for axis, size in ((1, rows), (2, cols)):
        made = _resample(made, axis, size)
    return np.clip(np.rint(made), 0, 255).astype(np.uint8) if x.dtype == np.uint8 else made.astype(np.float32)


def _resample(x: Array, axis: int, size: int) -> Array:
    old = x.shape[axis]
    if old == size:
        return x
    at = np.clip((np.arange(size) + 0.5) * old / size - 0.5, 0, old - 1)
    low = np.minimum(at.astype(int), max(old - 2, 0))
    part = (at - low).astype(np.float32)
    part = part.reshape([-1 if i == axis else 1 for i in range(x.ndim)])
    high = np.minimum(low + 1, old - 1)
    below, above = np.take(x, low, axis).astype(np.float32), np.take(x, high, axis).astype(np.float32)
    return np.asarray(below * (1 - part) + above * part)
