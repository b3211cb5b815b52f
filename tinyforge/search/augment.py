"""Random changes of training samples, by kind of data; the same for the same generator."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from tinyforge.errors import UsageError
from tinyforge.ir.types import Array
from tinyforge.search.dataset import Floats, Scaling, photographs

Augment = Callable[[Floats, np.random.Generator], Floats]
AugmentBatch = Callable[[Floats, Floats, np.random.Generator], tuple[Floats, Floats]]
"""Of samples and their labels (n, classes)."""


def shift(x: Floats, rng: np.random.Generator) -> Floats:
    """Images moved by up to an eighth of their sides; what comes in repeats the edge."""
    reach = (max(1, x.shape[1] // 8), max(1, x.shape[2] // 8))
    padded = np.pad(x, ((0, 0), (reach[0],) * 2, (reach[1],) * 2, (0, 0)), mode="edge")
    moves = rng.integers(0, (2 * reach[0] + 1, 2 * reach[1] + 1), (len(x), 2))
    return np.stack([p[r : r + x.shape[1], c : c + x.shape[2]] for p, (r, c) in zip(padded, moves, strict=True)])


def flip(x: Floats, rng: np.random.Generator) -> Floats:
    """Half of the images mirrored left to right."""
    made: Floats = x.copy()
    turned = rng.random(len(x)) < 0.5
    made[turned] = x[turned, :, ::-1]
    return made


def light(x: Floats, rng: np.random.Generator) -> Floats:
    """Brightness and contrast changed by up to a fifth."""
    size = (len(x), 1, 1, 1)
    contrast, brightness = rng.uniform(0.8, 1.2, size), rng.uniform(-0.1, 0.1, size)
    return np.asarray(np.clip((x - 0.5) * contrast + 0.5 + brightness, 0, 1), np.float32)


def erase(x: Floats, rng: np.random.Generator) -> Floats:
    """A square of a quarter of the side set to the mean in half of the images."""
    made: Floats = x.copy()
    side = max(1, min(x.shape[1:3]) // 4)
    for image in made:
        top, left = rng.integers(0, x.shape[1] - side + 1), rng.integers(0, x.shape[2] - side + 1)
        if rng.random() < 0.5:
            image[top : top + side, left : left + side] = image.mean()
    return made


def roll(x: Floats, rng: np.random.Generator) -> Floats:
    """Moved in time by up to a tenth; what comes in repeats the edge."""
    reach = max(1, x.shape[1] // 10)
    padded = np.pad(x, ((0, 0), (reach, reach), (0, 0), (0, 0)), mode="edge")
    starts = rng.integers(0, 2 * reach + 1, len(x))
    return np.stack([p[s : s + x.shape[1]] for p, s in zip(padded, starts, strict=True)])


def mask(x: Floats, rng: np.random.Generator) -> Floats:
    """SpecAugment: up to an eighth of the frames and of the bands set to the mean (0 after scaling)."""
    made: Floats = x.copy()
    for sample in made:
        for axis in (0, 1):
            size = sample.shape[axis]
            width = int(rng.integers(0, max(1, size // 8) + 1))
            start = int(rng.integers(0, size - width + 1))
            sample[(slice(None),) * axis + (slice(start, start + width),)] = 0
    return made


def jitter(x: Floats, rng: np.random.Generator) -> Floats:
    """Signals scaled by up to a tenth, with noise of a twentieth of a standard deviation."""
    scale = rng.uniform(0.9, 1.1, (len(x), 1, 1, x.shape[3]))
    return np.asarray(x * scale + 0.05 * rng.standard_normal(x.shape), np.float32)


def stretch(x: Floats, rng: np.random.Generator) -> Floats:
    """Faster or slower by up to a fifth about a random moment; what comes in repeats the edge."""
    steps = x.shape[1]
    speed, centre = rng.uniform(0.8, 1.25, (len(x), 1)), rng.uniform(0, steps - 1, (len(x), 1))
    at = np.clip(centre + (np.arange(steps) - centre) * speed, 0, steps - 1)
    low = np.minimum(at.astype(int), max(steps - 2, 0))
    part = (at - low)[:, :, None, None]
    rows = np.arange(len(x))[:, None]
    return np.asarray(x[rows, low] * (1 - part) + x[rows, np.minimum(low + 1, steps - 1)] * part, np.float32)


def amplify(x: Floats, rng: np.random.Generator) -> Floats:
    """The whole sample stronger or weaker by up to three tenths."""
    return np.asarray(x * rng.uniform(0.7, 1.3, (len(x), 1, 1, 1)), np.float32)


def rotate(x: Floats, rng: np.random.Generator, scaling: Scaling) -> Floats:
    """Sensors of three axes, (n, steps, 1, 3 a sensor) scaled by ``scaling``, turned by up to 20 degrees about a random
    axis, all of them by the same: as if the device were held, or mounted, a little differently."""
    mean, std = np.asarray(scaling.mean, np.float32), np.asarray(scaling.std, np.float32)
    vectors = (x * std + mean).reshape(*x.shape[:3], -1, 3)
    turned = np.einsum("nij,n...j->n...i", _turns(rng, len(x)), vectors).reshape(x.shape)
    return np.asarray((turned - mean) / std, np.float32)


def _turns(rng: np.random.Generator, count: int) -> Floats:
    """Rotation matrices (count, 3, 3), by Rodrigues' formula."""
    axis = rng.standard_normal((count, 3))
    x, y, z = (axis / np.linalg.norm(axis, axis=1, keepdims=True)).T
    zero = np.zeros(count)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], 1).reshape(count, 3, 3)
    angle = np.deg2rad(rng.uniform(0, TURN, (count, 1, 1)))
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross, np.float32)


STEPS: dict[str, Augment] = {
    "shift": shift,
    "flip": flip,
    "light": light,
    "erase": erase,
    "roll": roll,
    "mask": mask,
    "jitter": jitter,
    "stretch": stretch,
    "amplify": amplify,
}
DEFAULTS = {
    "image": ("shift",),
    "spectrogram": ("roll", "mask"),
    "signal": ("roll", "jitter", "stretch", "amplify"),
}
PHOTOS = ("shift", "flip", "erase")
"""Of images with colours: digits and letters, which must not be mirrored, come in shades of grey."""
VECTORS = ("rotate", *DEFAULTS["signal"])
"""Of signals whose channels can be sensors of three axes."""
ROTATE, TURN = "rotate", 20.0
"""Degrees."""
MIXUP, MIXUP_ALPHA = "mixup", 0.2
SMOOTHING = 0.1
"""What of a label is spread over all classes."""


def soft_labels(y: Array, classes: int) -> Floats:
    """Class indices (n,) -> smoothed labels (n, classes) float32."""
    whole = np.eye(classes, dtype=np.float32)[y]
    return np.asarray(whole * (1 - SMOOTHING) + SMOOTHING / classes, np.float32)


def mixup(x: Floats, labels: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Samples and labels mixed with those of another sample, by a part of Beta(0.2, 0.2) (Zhang et al. 2018)."""
    part = rng.beta(MIXUP_ALPHA, MIXUP_ALPHA, len(x)).astype(np.float32)
    other = rng.permutation(len(x))
    of_x, of_y = part[:, None, None, None], part[:, None]
    return of_x * x + (1 - of_x) * x[other], of_y * labels + (1 - of_y) * labels[other]


def augmentation(names: str, kind: str, channels: int, scaling: Scaling) -> AugmentBatch:
    """``auto`` (by kind of data), ``none``, or names of steps with commas between. Raises UsageError."""
    chosen = _chosen(names, kind, channels)
    unknown = [name for name in chosen if name not in (*STEPS, ROTATE, MIXUP)]
    if unknown:
        known = ", ".join((*STEPS, ROTATE, MIXUP))
        raise UsageError(f"there is no augmentation {unknown[0]!r}; choose from auto, none, {known}")
    if ROTATE in chosen and (kind != "signal" or channels % 3):
        raise UsageError(f"rotate turns sensors of three axes; this is a {kind} of {channels} channels; leave it out")
    steps: dict[str, Augment] = {**STEPS, ROTATE: partial(rotate, scaling=scaling)}

    def change(x: Floats, labels: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
        for name in chosen:
            if name == MIXUP:
                x, labels = mixup(x, labels, rng)
            else:
                x = steps[name](x, rng)
        return np.ascontiguousarray(x, np.float32), labels

    return change


def mirrors(names: str, kind: str, channels: int) -> bool:
    """Whether mirror images are among what ``augmentation`` makes."""
    return "flip" in _chosen(names, kind, channels)


def _chosen(names: str, kind: str, channels: int) -> tuple[str, ...]:
    return _usual(kind, channels) if names == "auto" else tuple(n for n in names.split(",") if n and n != "none")


def _usual(kind: str, channels: int) -> tuple[str, ...]:
    """What ``auto`` stands for."""
    if photographs(kind, channels):
        return PHOTOS
    return VECTORS if kind == "signal" and channels % 3 == 0 else DEFAULTS[kind]
