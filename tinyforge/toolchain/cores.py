"""The cores of this machine, and work on all of them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

_Worker = TypeVar("_Worker")
_Part = TypeVar("_Part")
_Result = TypeVar("_Result")


def cores() -> int:
    """How many this process may use."""
    # Only Linux tells what a process is confined to.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def on_cores(
    make: Callable[[], _Worker],
    work: Callable[[_Worker, _Part], _Result],
    parts: Iterable[_Part],
    threads: int | None = None,
) -> Iterator[_Result]:
    """``work`` of every part, in order, in so many threads (all cores by default). Each has a worker of its own, which
    ``make`` makes when it is first needed. An error of any of them is raised here, and what has not begun is left."""
    kept: Any = threading.local()

    def run(part: _Part) -> _Result:
        if not hasattr(kept, "worker"):
            kept.worker = make()
        return work(kept.worker, part)

    with ThreadPoolExecutor(threads or cores()) as pool:
        yield from pool.map(run, parts)
