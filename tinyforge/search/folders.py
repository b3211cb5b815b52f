"""A folder of class folders: images, ``.wav`` recordings, or ``.csv`` recordings of sensors."""

from __future__ import annotations

import csv
import wave
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from tinyforge.errors import UsageError
from tinyforge.ir.types import Array
from tinyforge.search.dataset import RawData, Samples
from tinyforge.search.log_mel_fixed import fixed_front_end, fixed_log_mel
from tinyforge.search.logmel import front_end_for
from tinyforge.search.needs import missing

IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".pgm", ".gif", ".webp")
WINDOW_STEPS = 128
"""Steps of a window cut from a sensor recording; windows overlap by half."""
LONGEST_SIDE = 96
"""Pixels; larger images are made smaller when they are read."""

Files = Sequence[tuple[Path, int]]
Reader = Callable[[Files], tuple[str, Samples]]


def load_folder(path: Path) -> RawData:
    """Class folders in ``path``, or in ``path``/train and ``path``/test. Raises UsageError."""
    train = path / "train" if (path / "train").is_dir() else path
    classes = tuple(sorted(p.name for p in train.iterdir() if p.is_dir() and not p.name.startswith(".")))
    if not classes:
        raise UsageError(f"{train} has no folders; put the files of each class into a folder of its own")
    kind, samples = _read(train, classes)
    front = front_end_for(_wave(next(train.rglob("*.wav")))[1]) if kind == "spectrogram" else None
    held = next((path / name for name in ("test", "val") if train != path and (path / name).is_dir()), None)
    if held is None:
        return RawData(path.name, kind, samples, None, classes, front)
    _, test = _read(held, classes)
    if test.x.shape[1:] != samples.x.shape[1:]:
        raise UsageError(f"{held}: samples of {test.x.shape[1:]}, those of {train} have {samples.x.shape[1:]}")
    return RawData(path.name, kind, samples, test, classes, front)


def _read(folder: Path, classes: Sequence[str]) -> tuple[str, Samples]:
    files = [
        (file, label)
        for label, name in enumerate(classes)
        for file in sorted((folder / name).rglob("*"))
        if file.suffix.lower() in READERS
    ]
    kinds = sorted({READERS[file.suffix.lower()].__name__ for file, _ in files})
    if len(kinds) != 1:
        what = "no image, .wav or .csv file" if not kinds else "files of more than one kind"
        raise UsageError(f"{folder}: {what} in its class folders {', '.join(classes[:5])}")
    return READERS[files[0][0].suffix.lower()](files)


def read_images(files: Files) -> tuple[str, Samples]:
    """All at the size of the most frequent one, at most 96 pixels; grey where all are."""
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError as error:
        raise missing("pillow") from error
    images = []
    for file, _ in files:
        try:
            with Image.open(file) as image:
                images.append(image.convert("L" if image.mode in ("1", "L", "I;16") else "RGB"))
        except (UnidentifiedImageError, OSError) as error:
            raise UsageError(f"{file} cannot be read as an image: {error}") from error
    sizes = [image.size for image in images]
    width, height = max(sorted(set(sizes)), key=sizes.count)
    shrink = min(1.0, LONGEST_SIDE / max(width, height))
    size = max(1, round(width * shrink)), max(1, round(height * shrink))
    mode = "L" if all(image.mode == "L" for image in images) else "RGB"
    x = np.stack(
        [np.asarray(image.convert(mode).resize(size), np.uint8).reshape(size[1], size[0], -1) for image in images]
    )
    return "image", Samples(x, _labels(files))


def read_waves(files: Files) -> tuple[str, Samples]:
    """Log-mel spectrograms (frames, bands, 1) of the first second, as the C front end computes them."""
    recordings, rates = zip(*(_wave(file) for file, _ in files), strict=True)
    if len(set(rates)) != 1:
        raise UsageError(f"recordings at {sorted(set(rates))} Hz; convert them to one sampling rate")
    fixed = fixed_front_end(front_end_for(rates[0]))
    x = np.stack([fixed_log_mel(pcm, fixed) for pcm in recordings])[..., None]
    return "spectrogram", Samples((x / 65536).astype(np.float32), _labels(files))


def _wave(path: Path) -> tuple[Array, int]:
    """int16 samples of the first channel, and the rate in Hz."""
    try:
        with wave.open(str(path)) as file:
            if file.getsampwidth() != 2:
                raise UsageError(f"{path}: {8 * file.getsampwidth()}-bit samples; convert it to 16-bit PCM")
            pcm = np.frombuffer(file.readframes(file.getnframes()), "<i2")
            return pcm[:: file.getnchannels()].astype(np.int16), file.getframerate()
    except (wave.Error, EOFError, OSError) as error:
        raise UsageError(f"{path} cannot be read as a .wav file: {error}") from error


def read_tables(files: Files) -> tuple[str, Samples]:
    """Windows (steps, 1, columns) of recordings; windows of one file stay in one split."""
    tables = [_table(file) for file, _ in files]
    if len({table.shape[1] for table in tables}) != 1:
        raise UsageError(f"{files[0][0].parent.parent}: recordings differ in their number of columns")
    lengths = {len(table) for table in tables}
    steps = lengths.pop() if len(lengths) == 1 else WINDOW_STEPS
    windows, labels, groups = [], [], []
    for number, (table, (_, label)) in enumerate(zip(tables, files, strict=True)):
        for start in range(0, len(table) - steps + 1, max(1, steps // 2)):
            windows.append(table[start : start + steps, None, :])
            labels.append(label)
            groups.append(number)
    if not windows:
        raise UsageError(f"every recording is shorter than a window of {steps} steps")
    return "signal", Samples(np.stack(windows), np.asarray(labels, np.int64), np.asarray(groups))


def _table(path: Path) -> Array:
    """(rows, columns) float32; a first line of names is skipped."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.reader(file) if row]
        start = 0 if rows and all(_is_number(cell) for cell in rows[0]) else 1
        made = np.asarray([[float(cell) for cell in row] for row in rows[start:]], np.float32)
    except (ValueError, OSError) as error:
        raise UsageError(f"{path} is no table of numbers: {error}") from error
    if made.ndim != 2 or not np.isfinite(made).all():
        raise UsageError(f"{path} is no table of finite numbers with equal rows")
    return made


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _labels(files: Files) -> Array:
    return np.asarray([label for _, label in files], np.int64)


READERS: dict[str, Reader] = {**dict.fromkeys(IMAGES, read_images), ".wav": read_waves, ".csv": read_tables}
