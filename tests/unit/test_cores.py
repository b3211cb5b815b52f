"""Work on all cores: in order, a worker for each thread, errors raised where the results are read."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from tinyforge.toolchain.cores import cores, on_cores


def test_results_come_in_order_from_few_workers() -> None:
    made: list[int] = []

    def make() -> int:
        made.append(threading.get_ident())
        return made[-1]

    def work(worker: int, part: int) -> int:
        assert worker == threading.get_ident(), "a worker was used by another thread"
        return part * part

    assert list(on_cores(make, work, range(50), threads=3)) == [part * part for part in range(50)]
    assert 1 <= len(made) == len(set(made)) <= 3


def test_an_error_is_raised_and_the_rest_is_left() -> None:
    begun: list[int] = []

    def work(_: None, part: int) -> int:
        begun.append(part)
        if part == 3:
            raise ValueError("the third")
        return part

    def results() -> Iterator[int]:
        return on_cores(lambda: None, work, range(10_000), threads=1)

    with pytest.raises(ValueError, match="the third"):
        list(results())
    assert len(begun) < 10_000


def test_there_is_a_core() -> None:
    assert cores() >= 1
