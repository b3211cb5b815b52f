"""Where data comes from: a name, an ``.npz`` file, or a folder of class folders."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from tinyforge.errors import ToolMissing, UsageError
from tinyforge.ir.types import Array
from tinyforge.search.dataset import KINDS, RawData, Samples
from tinyforge.search.folders import load_folder
from tinyforge.search.needs import missing
from tinyforge.search.train import Report

KERAS_NAMES = ("cifar10", "mnist", "fashion_mnist")
DIGITS_SIDE = 32
_SAMPLES = ("x", "logmel", "jpeg")
KIND = "kind"
"""Array that says what the samples are, of ``KINDS``."""


def quiet(what: str, done: int = 0, total: int = 0) -> None:
    """Tells nothing."""


def load_data(source: str, test: str | None = None, tell: Report = quiet) -> RawData:
    """``digits``, a name of keras.datasets, the path of an ``.npz`` file or of a folder; ``test``: a second ``.npz``
    or folder whose samples are the test split. Raises UsageError for data that cannot be read."""
    found = _load(source, tell)
    if test is None:
        return found
    held = _load(test, tell)
    if held.train.x.shape[1:] != found.train.x.shape[1:]:
        raise UsageError(
            f"{test}: samples of {held.train.x.shape[1:]}, those of {source} have {found.train.x.shape[1:]}"
        )
    if held.train.x.dtype != found.train.x.dtype:
        raise UsageError(f"{test} holds {held.train.x.dtype} samples, {source} {found.train.x.dtype}")
    labels = _labels_in(found.classes, held.classes, test)
    return replace(found, test=replace(held.train, y=labels[held.train.y]), notes=found.notes + held.notes)


def _labels_in(classes: Sequence[str], held: Sequence[str], test: str) -> Array:
    """Labels of the classes ``held`` of a second source among ``classes``: by name, or by number where it has numbers
    for names."""
    for known in (classes, [str(number) for number in range(len(classes))]):
        if set(held) <= set(known):
            return np.asarray([known.index(name) for name in held], np.int64)
    strange = next(name for name in held if name not in classes)
    raise UsageError(f"{test}: class {strange} is not among those to learn: {', '.join(classes[:10])}")


def _load(source: str, tell: Report) -> RawData:
    named: dict[str, Callable[[], RawData]] = {"digits": _digits}
    if source in named:
        return named[source]()
    if source in KERAS_NAMES:
        return _keras(source)
    path = Path(source)
    if path.is_dir():
        return load_folder(path, tell)
    if path.suffix == ".npz" and path.is_file():
        return _npz(path)
    raise UsageError(
        f"there is no data {source!r}; give a folder of class folders, an .npz file, or one of: "
        f"{', '.join((*named, *KERAS_NAMES))}"
    )


def _digits() -> RawData:
    """scikit-learn's 1,797 digits of 8x8 pixels and 16 levels, enlarged to 32x32 as a camera would see them."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise missing("scikit-learn") from error
    from tinyforge.search.dataset import resized

    digits = load_digits()
    images = np.rint(digits.images.astype(np.float32) * (255 / 16)).astype(np.uint8)[..., None]
    x = resized(images, (DIGITS_SIDE, DIGITS_SIDE, 1))
    return RawData("digits", "image", Samples(x, digits.target.astype(np.int64)), None, tuple("0123456789"))


def _keras(name: str) -> RawData:
    try:
        import keras
    except ImportError as error:
        raise missing("tensorflow") from error
    try:
        (x, y), (x_test, y_test) = getattr(keras.datasets, name).load_data()
    except Exception as error:
        raise ToolMissing(
            f"{name} could not be downloaded ({type(error).__name__}); go online once, or give an .npz file "
            "with x_train, y_train, x_test, y_test"
        ) from error
    train, test = (Samples(_images(a), b.reshape(-1).astype(np.int64)) for a, b in ((x, y), (x_test, y_test)))
    return RawData(name, "image", train, test, tuple(str(i) for i in range(int(train.y.max()) + 1)))


def _images(x: Array) -> Array:
    return x if x.ndim == 4 else x[..., None]


def _npz(path: Path) -> RawData:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError) as error:
        raise UsageError(f"{path} cannot be read as .npz: {error}") from error
    parts, names = _numbered(_parts(arrays, path), arrays)
    kind = _kind(arrays, parts["train"].x, path)
    notes: tuple[str, ...] = ()
    if kind == "image" and parts["train"].x.dtype != np.uint8:
        parts = {split: _eight_bits(part, path) for split, part in parts.items()}
        notes = ("pixels from 0 to 1 become 8 bits",)
    held = parts.get("validation")
    return RawData(path.stem, kind, parts["train"], parts.get("test"), names, None, held, notes)


def _numbered(parts: dict[str, Samples], arrays: Mapping[str, Array]) -> tuple[dict[str, Samples], tuple[str, ...]]:
    """Splits with labels from 0 on, and the names of the classes."""
    labels = np.unique(np.concatenate([part.y for part in parts.values()]))
    names = [str(c) for c in arrays.get("classes", labels).tolist()]
    if len(names) != len(labels) or not np.array_equal(labels, np.arange(len(labels))):
        names = [str(v) for v in labels.tolist()]
        parts = {k: replace(p, y=np.searchsorted(labels, p.y).astype(np.int64)) for k, p in parts.items()}
    return parts, tuple(names)


def _parts(arrays: Mapping[str, Array], path: Path) -> dict[str, Samples]:
    """Splits by name: ``x_train``, ``x_val`` and ``x_test``, or ``train_x``, ``val_x`` and ``test_x``, or ``x`` with
    ``is_test``. A validation split without a test split is that."""
    for form in ("x_{}", "{}_x"):
        names = {"train": form.format("train"), "validation": form.format("val"), "test": form.format("test")}
        if names["train"] not in arrays:
            continue
        if names["test"] not in arrays:
            names["test"] = names.pop("validation")
        there = {split: x for split, x in names.items() if x in arrays}
        label = {x: x.replace("x_", "y_") if form == "x_{}" else _label_of(arrays, x, path) for x in there.values()}
        return {split: _samples(arrays, x, label[x], path) for split, x in there.items()}
    key = next((name for name in _SAMPLES if name in arrays), None)
    if key is None:
        raise UsageError(
            f"{path} holds {', '.join(arrays)}; it needs x_train and y_train, or x and y (see docs/search.md)"
        )
    whole = _samples(arrays, key, "y", path)
    if "is_test" not in arrays:
        return {"train": whole}
    held_back = arrays["is_test"].astype(bool)
    return {"train": whole.take(np.flatnonzero(~held_back)), "test": whole.take(np.flatnonzero(held_back))}


def _label_of(arrays: Mapping[str, Array], key: str, path: Path) -> str:
    """The only list of integers as long as the samples and named after the same split."""
    split = key.rsplit("_", 1)[0]
    found = [
        n
        for n, a in arrays.items()
        if n.startswith(f"{split}_") and a.ndim == 1 and a.dtype.kind in "iu" and len(a) == len(arrays[key])
    ]
    if len(found) != 1:
        raise UsageError(f"{path}: {len(found)} arrays could be the labels of {key}; call them {split}_y")
    return found[0]


def _samples(arrays: Mapping[str, Array], x_name: str, y_name: str, path: Path) -> Samples:
    if y_name not in arrays:
        raise UsageError(f"{path} has {x_name} but no labels {y_name}")
    x, y = arrays[x_name], arrays[y_name]
    if x_name == "jpeg":
        x = _decode(x, arrays["length"])
    if y.shape == (len(x), 1):
        y = y[:, 0]
    if y.ndim != 1 or len(x) != len(y) or y.dtype.kind not in "iubU":
        raise UsageError(
            f"{path}: {y_name} must hold one integer or name for each of the {len(x):,} samples of {x_name}, "
            f"not {y.dtype} of shape {y.shape}"
        )
    if x.ndim not in (3, 4) or x.dtype.kind not in "iuf":
        raise UsageError(f"{path}: {x_name} has shape {x.shape}; samples have 2 or 3 axes after the first")
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        sample = int(np.argmax(~np.isfinite(x).reshape(len(x), -1).all(1)))
        raise UsageError(f"{path}: {x_name} holds numbers that are not finite, the first in sample {sample}; remove it")
    group = next((arrays[n] for n in ("group", "groups") if n in arrays), None)
    return Samples(_four_axes(x, x_name, arrays), y if y.dtype.kind == "U" else y.astype(np.int64), group)


def _four_axes(x: Array, name: str, arrays: Mapping[str, Array]) -> Array:
    """Images and spectrograms get a channel axis, signals (steps, channels) one column. int8 stays as it is: features
    that were quantised already."""
    made = x
    if x.ndim == 3:
        whole = x.dtype == np.uint8 or name == "logmel" or str(arrays.get(KIND, "signal")) != "signal"
        made = x[..., None] if whole else x[:, :, None, :]
    return made if made.dtype in (np.uint8, np.int8) else made.astype(np.float32)


def _kind(arrays: Mapping[str, Array], x: Array, path: Path) -> str:
    """As the file says, or as its samples look like."""
    if KIND in arrays:
        kind = str(arrays[KIND])
        if kind not in KINDS:
            raise UsageError(f"{path}: {KIND} is {kind!r}; it must be one of: {', '.join(KINDS)}")
        return kind
    if x.dtype == np.uint8 or (x.dtype == np.float32 and x.shape[2] > 1 and x.shape[3] == 3 and _shades(x)):
        return "image"
    if "logmel" in arrays or x.shape[2] > 1:
        return "spectrogram"
    return "signal"


def _shades(x: Array) -> bool:
    """Whether all are from 0 to 1, as pixels that were divided by 255."""
    return bool(x.min(initial=0) >= 0 and x.max(initial=0) <= 1)


def _eight_bits(samples: Samples, path: Path) -> Samples:
    """Pixels from 0 to 1 as uint8. Raises UsageError for others."""
    if not _shades(samples.x):
        raise UsageError(f"{path}: pixels of images must be uint8, or floats from 0 to 1")
    return replace(samples, x=np.rint(samples.x * 255).astype(np.uint8))


def _decode(content: Array, lengths: Array) -> Array:
    """Concatenated JPEG files -> (n, rows, columns, 3) uint8."""
    try:
        from PIL import Image
    except ImportError as error:
        raise missing("pillow") from error
    ends = np.cumsum(lengths, dtype=np.int64)
    data = content.tobytes()
    images = [
        np.asarray(Image.open(io.BytesIO(data[end - size : end])).convert("RGB"))
        for end, size in zip(ends.tolist(), lengths.tolist(), strict=True)
    ]
    return np.stack(images)
