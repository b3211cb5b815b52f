"""Files of a study: written whole or not at all, read with one clear error."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tinyforge.errors import UsageError
from tinyforge.ir.types import Array


def save_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    """An ``.npz`` file that replaces the old one in one step."""
    part = path.with_name(f"{path.name}.part")
    with part.open("wb") as file:
        np.savez(file, **dict(arrays))  # type: ignore[arg-type]
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def load_arrays(path: Path) -> dict[str, Array]:
    """Every array of an ``.npz`` file. Raises UsageError."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError) as error:
        raise UsageError(f"{path} cannot be read ({error}); remove it to train again") from error


def save_json(path: Path, value: Mapping[str, Any]) -> None:
    """A JSON file that replaces the old one in one step."""
    part = path.with_name(f"{path.name}.part")
    part.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
    part.replace(path)


def load_json(path: Path) -> dict[str, Any]:
    """An object. Raises UsageError."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    if not isinstance(value, dict):
        raise UsageError(f"{path} holds no JSON object")
    return value
