"""One door for all model files: looks at the first bytes, then asks the importer of that format."""

from __future__ import annotations

from pathlib import Path

from tinyforge.errors import ModelError, UnsupportedModel
from tinyforge.importers import from_tflite
from tinyforge.importers.report import ModelReport
from tinyforge.ir.graph import Graph

_HEAD_BYTES = 8
_CONVERT = "convert the model to a fully quantised .tflite file first"


def import_model(path: Path) -> Graph:
    """The network of a model file. Raises ModelError or UnsupportedModel (see the importers)."""
    _require_tflite(path)
    return from_tflite.import_tflite(path)


def inspect_model(path: Path) -> ModelReport:
    """What is in a model file, operator by operator. Raises ModelError when it cannot be read at all."""
    _require_tflite(path)
    return from_tflite.inspect(path)


def _require_tflite(path: Path) -> None:
    """Names the other formats people try; a file that is none of them is left to the reader's own message."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror or error}); check the path") from error
    if head[4:8] == b"TFL3":
        return
    suffix = path.suffix.lower()
    if suffix == ".onnx":
        raise UnsupportedModel(f"{path.name}: ONNX models are not supported yet; {_CONVERT}")
    if suffix in (".keras", ".h5", ".hdf5") or head == b"\x89HDF\r\n\x1a\n":
        raise UnsupportedModel(f"{path.name}: Keras models are not supported yet; {_CONVERT}")
