"""A folder of class folders: images, ``.wav`` recordings, or ``.csv`` recordings of sensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tinyforge.errors import UsageError
from tinyforge.search.dataset import RawData
from tinyforge.search.folder_files import Files, Read
from tinyforge.search.folder_images import IMAGES, read_images
from tinyforge.search.folder_sounds import SOUNDS, read_sounds
from tinyforge.search.folder_tables import TABLES, read_tables
from tinyforge.search.train import Report

TRAIN, VALIDATION, TEST = ("train", "training"), ("val", "valid", "validation"), ("test", "testing")
"""Names of folders above the class folders."""
Reader = Callable[[Sequence[Files], Report], Read]


@dataclass(frozen=True, slots=True)
class _Splits:
    """Folders that hold class folders."""

    train: Path
    validation: Path | None = None
    test: Path | None = None

    @property
    def all(self) -> list[Path]:
        """Those that are there, that for training first."""
        return [path for path in (self.train, self.validation, self.test) if path is not None]


def load_folder(path: Path, tell: Report) -> RawData:
    """Class folders in ``path``, or in ``path``/train and, where they are there, its validation and test folders; one
    for validation alone is the test split. Hidden files are left out. Raises UsageError."""
    splits = _splits(path)
    classes = tuple(_folders(splits.train))
    if not classes:
        raise UsageError(f"{splits.train} has no folders; put the files of each class into a folder of its own")
    for held in splits.all[1:]:
        unknown = [name for name in _folders(held) if name not in classes]
        if unknown:
            raise UsageError(f"{held / unknown[0]}: a class that {splits.train} does not have")
    files = [_files(folder, classes) for folder in splits.all]
    read = _reader(files, splits)(files, tell)
    parts = dict(zip(splits.all, read.parts, strict=True))
    validation, test = (parts[p] if p is not None else None for p in (splits.validation, splits.test))
    train = parts[splits.train]
    return RawData(path.name, read.kind, train, test, classes, read.front_end, validation, read.notes)


def _splits(path: Path) -> _Splits:
    found = [next((path / n for n in names if _folders(path / n)), None) for names in (TRAIN, VALIDATION, TEST)]
    train, validation, test = found
    if train is None:
        return _Splits(path)
    return _Splits(train, validation, test) if test is not None else _Splits(train, None, validation)


def _folders(path: Path) -> list[str]:
    """Names of the folders in ``path``, sorted."""
    return sorted(p.name for p in path.iterdir() if p.is_dir() and not _hidden(Path(p.name))) if path.is_dir() else []


def _hidden(path: Path) -> bool:
    # macOS puts a "._name" beside every file that it copies to another file system, with the file's own suffix.
    return any(part.startswith(".") for part in path.parts)


def _files(folder: Path, classes: Sequence[str]) -> Files:
    return [
        (file, label)
        for label, name in enumerate(classes)
        for file in sorted((folder / name).rglob("*"))
        if file.suffix.lower() in READERS and not _hidden(file.relative_to(folder))
    ]


def _reader(splits: Sequence[Files], folders: _Splits) -> Reader:
    """What reads the files, which are all of one kind."""
    for folder, files in zip(folders.all, splits, strict=True):
        kinds = {READERS[file.suffix.lower()] for file, _ in files}
        if len(kinds) != 1:
            what = "no image, .wav or .csv file" if not kinds else "files of more than one kind"
            raise UsageError(f"{folder}: {what} in its class folders {', '.join(_folders(folder)[:5])}")
    found = {READERS[file.suffix.lower()] for files in splits for file, _ in files}
    if len(found) != 1:
        raise UsageError(f"{' and '.join(map(str, folders.all))} hold files of different kinds")
    return found.pop()


READERS: dict[str, Reader] = {
    **dict.fromkeys(IMAGES, read_images),
    **dict.fromkeys(SOUNDS, read_sounds),
    **dict.fromkeys(TABLES, read_tables),
}
