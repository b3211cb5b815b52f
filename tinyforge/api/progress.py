"""How long work tells its caller where it is."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called with what is being done now, and with how much of it where that is known."""

    def __call__(self, what: str, done: int = 0, total: int = 0) -> None: ...


def quiet(what: str, done: int = 0, total: int = 0) -> None:
    """The Progress that says nothing."""
