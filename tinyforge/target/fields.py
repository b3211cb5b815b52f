"""Strict reading of one table of a TOML or JSON file: every key known, every value of its type.

`Fields` wraps a mapping; each getter takes one key off it; `finish()` refuses what was never asked for.
Errors name the file, the table, the key and what is allowed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from tinyforge.errors import TinyforgeError, UsageError

_SIZE = re.compile(r"\s*(\d+)\s*([kKmMgG]?)(i?[bB])?\s*")
_FACTOR = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_MAX_BYTES = 1 << 32


def parse_size(value: object) -> int:
    """Bytes of `131072`, `"128K"`, `"128 KiB"` or `"4 MiB"`; K, M and G are powers of 1024.

    Raises UsageError unless 0 < bytes <= 4 GiB.
    """
    size = -1
    if isinstance(value, int) and not isinstance(value, bool):
        size = value
    elif isinstance(value, str) and (match := _SIZE.fullmatch(value)):
        size = int(match.group(1)[:12]) * _FACTOR[match.group(2).lower()]
    if not 0 < size <= _MAX_BYTES:
        raise UsageError(f"{value!r} is not a size: write bytes or 32K, '128 KiB', '4 MiB' (up to 4 GiB)")
    return size


class Fields:
    """Typed, checked access to one table.

    `where` names file and table for messages; `error` is the class raised.
    """

    def __init__(self, table: object, where: str, error: type[TinyforgeError] = UsageError) -> None:
        self._where = where
        self._error = error
        if not isinstance(table, Mapping):
            raise error(f"{where}: expected a table of keys, found {type(table).__name__}")
        self._table: Mapping[str, Any] = table
        self._asked: list[str] = []

    def fail(self, key: str, problem: str) -> NoReturn:
        """Raise the error class for `key`."""
        raise self._error(f"{self._where}: {key}: {problem}")

    def _get(self, key: str, kind: type | tuple[type, ...], default: Any) -> Any:
        self._asked.append(key)
        if key not in self._table:
            if default is None:
                self.fail(key, "this key is missing")
            return default
        value = self._table[key]
        wanted_bool = kind is bool
        if not isinstance(value, kind) or (isinstance(value, bool) and not wanted_bool):
            self.fail(key, f"{value!r} has the wrong type ({type(value).__name__})")
        return value

    def text(self, key: str, default: str | None = None, allowed: Sequence[str] | None = None) -> str:
        """A string, one of `allowed` where given."""
        value: str = self._get(key, str, default)
        if allowed is not None and value not in allowed:
            self.fail(key, f"{value!r} is not one of: {', '.join(allowed)}")
        return value

    def integer(self, key: str, default: int | None = None, low: int = 0, high: int = 1 << 63) -> int:
        """An integer in [low, high]."""
        value: int = self._get(key, int, default)
        if not low <= value <= high:
            self.fail(key, f"{value} is outside {low}..{high}")
        return value

    def optional_integer(self, key: str) -> int | None:
        """An integer >= 0, or None where the key is absent or null."""
        if self._table.get(key) is None:
            self._asked.append(key)
            return None
        return self.integer(key)

    def number(self, key: str, default: float | None = None) -> float:
        """A float (an integer is taken as one)."""
        return float(self._get(key, (int, float), default))

    def boolean(self, key: str, default: bool | None = None) -> bool:
        """A true or false."""
        value: bool = self._get(key, bool, default)
        return value

    def size(self, key: str, default: int | None = None) -> int:
        """A size in bytes as `parse_size` reads it."""
        value = self._get(key, (int, str), default)
        try:
            return parse_size(value)
        except UsageError as error:
            self.fail(key, str(error))

    def value(self, key: str, kinds: tuple[type, ...], default: Any = None) -> Any:
        """A value of one of the types ``kinds``."""
        return self._get(key, kinds, default)

    def items(self, key: str, default: Sequence[Any] | None = None) -> list[Any]:
        """A list, unchecked inside."""
        return list(self._get(key, (list, tuple), default))

    def integers(self, key: str) -> tuple[int, ...]:
        """A list of integers."""
        values = self.items(key)
        if not all(isinstance(v, int) and not isinstance(v, bool) for v in values):
            self.fail(key, f"{values!r} must hold integers only")
        return tuple(values)

    def texts(self, key: str, default: Sequence[str] | None = None) -> tuple[str, ...]:
        """A list of strings."""
        values = self.items(key, default)
        if not all(isinstance(v, str) for v in values):
            self.fail(key, f"{values!r} must hold strings only")
        return tuple(values)

    def mapping(self, key: str) -> dict[str, Any]:
        """A table, unchecked inside."""
        return dict(self._get(key, Mapping, None))

    def table(self, key: str) -> Fields:
        """A nested table."""
        return Fields(self._get(key, Mapping, None), f"{self._where}: [{key}]", self._error)

    def optional_table(self, key: str) -> Fields | None:
        """A nested table, or None where absent."""
        if key not in self._table:
            self._asked.append(key)
            return None
        return self.table(key)

    def tables(self, key: str, default: Sequence[Any] | None = None) -> list[Fields]:
        """A list of nested tables."""
        values = self.items(key, default)
        return [Fields(v, f"{self._where}: [[{key}]] {i}", self._error) for i, v in enumerate(values)]

    def finish(self) -> None:
        """Refuse keys nobody asked for."""
        unknown = sorted(set(self._table) - set(self._asked))
        if unknown:
            allowed = ", ".join(sorted(set(self._asked)))
            raise self._error(f"{self._where}: unknown key {', '.join(unknown)}; allowed: {allowed}")
