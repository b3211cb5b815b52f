"""Image files of class folders."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from tinyforge.errors import UsageError
from tinyforge.ir.types import Array
from tinyforge.search.dataset import Samples
from tinyforge.search.folder_files import Files, Read, counted, labels_of
from tinyforge.search.needs import missing
from tinyforge.search.train import Report
from tinyforge.toolchain.cores import on_cores

_Result = TypeVar("_Result")
IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".pgm", ".gif", ".webp", ".tif", ".tiff")
LONGEST_SIDE = 96
"""Pixels; larger images are made smaller when they are read."""
GREY, DEEP = ("1", "L", "LA", "I", "I;16", "I;16L", "I;16B"), 65535
"""Modes without colours, and the brightest value of those whose pixels have more than eight bits."""
ORIENTATION, TURNED = 0x0112, (5, 6, 7, 8)
"""EXIF tag, and its values for images that lie on their side in the file."""


def read_images(splits: Sequence[Files], tell: Report) -> Read:
    """uint8 images, upright, all at the median width and height of the first split, at most 96 pixels; grey where all
    of that split are. Raises UsageError for files that are no images."""
    if find_spec("PIL") is None:
        raise missing("pillow")
    headers = list(_each(_header, splits[0]))
    sides = np.median([size for size, _ in headers], axis=0)
    shrink = min(1.0, LONGEST_SIDE / sides.max())
    size = max(1, round(sides[0] * shrink)), max(1, round(sides[1] * shrink))
    mode = "L" if all(grey for _, grey in headers) else "RGB"
    one_more, parts = counted(splits, tell), []
    for files in splits:
        x = np.empty((len(files), size[1], size[0], len(mode)), np.uint8)
        for i, image in enumerate(_each(partial(_image, size=size, mode=mode), files)):
            x[i] = image
            one_more()
        parts.append(Samples(x, labels_of(files)))
    sizes = len({size for size, _ in headers})
    notes = (f"images of {sizes} sizes, all resized to {size[0]}x{size[1]}",) if sizes > 1 else ()
    return Read("image", tuple(parts), notes)


def _each(work: Callable[[Path], _Result], files: Files) -> Iterator[_Result]:
    """``work`` of every file, on all cores, in order."""
    return on_cores(lambda: None, lambda _, file: work(file), (file for file, _ in files))


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    """The image; what Pillow raises while it is used is a UsageError."""
    from PIL import Image

    try:
        with Image.open(file) as image:
            yield image
    # SyntaxError: of damaged EXIF data.
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UsageError(f"{file} cannot be read as an image: {error}") from error


def _header(file: Path) -> tuple[tuple[int, int], bool]:
    """Width and height as it is looked at, and whether it is grey; pixels are not decoded."""
    with _opened(file) as image:
        width, height = image.size
        # A PNG file may have its EXIF data after its pixels, which would be decoded to find it.
        turned = image.format != "PNG" and image.getexif().get(ORIENTATION) in TURNED
        return (height, width) if turned else (width, height), image.mode in GREY


def _image(file: Path, size: tuple[int, int], mode: str) -> Array:
    """(height, width, channels) uint8."""
    from PIL import ImageOps

    with _opened(file) as image:
        # Photographs are decoded at an eighth to a half where that is still twice what is needed.
        image.draft(None, (2 * max(size),) * 2)
        upright = _eight_bits(ImageOps.exif_transpose(image))
        return np.asarray(upright.convert(mode).resize(size), np.uint8).reshape(size[1], size[0], len(mode))


def _eight_bits(image: Any) -> Any:
    """Of 16 bits a pixel the upper eight: Pillow's own conversion cuts off at 255."""
    from PIL import Image

    if not image.mode.startswith("I"):
        return image
    return Image.fromarray((np.clip(np.asarray(image), 0, DEEP) // 256).astype(np.uint8))
