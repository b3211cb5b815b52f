"""A board file of one's own, started from a shipped one."""

from __future__ import annotations

import re
from pathlib import Path

from tinyforge.errors import UsageError
from tinyforge.target.load import load_board

DEFAULT_MODEL = "nucleo_f446re"
_NAME = re.compile(r"[a-z][a-z0-9_]{1,40}")
_HEADER = """\
# {name}: started from {like}. Change what differs; boards/README.md of tinyforge explains every key.
# Check each figure against the chip's documents, say so in [[source]], and set `verified` there. Then:
#   tinyforge boards {file}
#   tinyforge compile MODEL.tflite --board {file}
"""


def new_board_text(name: str, like: str, file_name: str) -> str:
    """TOML of board `name` with the figures of the board `like` (a name or path), none of them verified.

    Raises UsageError for a name that is no identifier, or an unknown board.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no board name: small letters, digits and _ only, such as my_board")
    model = load_board(like)
    assert model.source is not None
    text = model.source.read_text(encoding="utf-8")
    text = _set(text, "name", f'"{name}"')
    text = _set(text, "title", f'"{name}: like {model.name}"')
    text = re.sub(r"(?m)^verified = true$", "verified = false", text)
    return _HEADER.format(name=name, like=model.name, file=file_name) + "\n" + text


def _set(text: str, key: str, value: str) -> str:
    """`text` with the first line `key = ...` replaced."""
    return re.sub(rf"(?m)^{key} = .*$", lambda _: f"{key} = {value}", text, count=1)


def write_new_board(name: str, like: str | None, out: Path | None) -> Path:
    """Write the file (default: NAME.toml here) and check that it loads. Raises UsageError where it exists already."""
    path = out or Path(f"{name}.toml")
    if path.suffix != ".toml" or path.stem != name:
        raise UsageError(f"{path}: a board's file is called like the board: {name}.toml")
    text = new_board_text(name, like or DEFAULT_MODEL, str(path))
    if path.exists():
        raise UsageError(f"{path} exists already; choose another name or remove it")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    load_board(path)
    return path
