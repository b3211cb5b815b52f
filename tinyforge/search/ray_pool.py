"""Candidates judged as Ray tasks, on whatever machines the cluster has; those of a lost machine are judged again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tinyforge.errors import ToolMissing, UsageError
from tinyforge.search.space import Candidate
from tinyforge.search.study import Judge
from tinyforge.search.trial import Judgement

INSTALL = "pip install 'tinyforge[ray]'"
MOST_TAKEN = 10_000

_JUDGES: dict[str, Judge] = {}


def _judge(key: str, make: Callable[[], Judge], candidate: Candidate) -> Judgement:
    """Runs on a Ray worker, which makes its judge once."""
    if key not in _JUDGES:
        _JUDGES.clear()
        _JUDGES[key] = make()
    return _JUDGES[key](candidate)


class RayPool:
    """Takes whole batches and judges them on a Ray cluster; leave it with ``close``.

    address: of a running cluster (``HOST:PORT``, ``auto``), or ``local`` for one on this machine of ``cores`` workers.
    make: gives a judge, and can be pickled. Raises ToolMissing without Ray, UsageError where no cluster answers.
    """

    capacity = MOST_TAKEN

    def __init__(self, address: str, make: Callable[[], Judge], cores: int | None = None) -> None:
        try:
            import ray
        except ImportError as error:
            raise ToolMissing(f"--ray needs Ray, which is not installed; install it with: {INSTALL}") from error
        self.ray = ray
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
        try:
            if address == "local":
                ray.init(num_cpus=cores, include_dashboard=False, **quiet)
            else:
                ray.init(address=address, **quiet)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise UsageError(
                f"no Ray cluster answers at {address}: {error}; start one with: ray start --head"
            ) from error
        self._make = ray.put(make)
        self._key = self._make.hex()
        # Only what ends a worker is tried again, any number of times: an error of the judge itself is an error.
        self._task = ray.remote(max_retries=-1, num_cpus=1)(_judge)

    def judgements(self, candidates: Sequence[Candidate]) -> Iterator[tuple[int, Judgement]]:
        """See Pool."""
        waiting = {self._task.remote(self._key, self._make, c): index for index, c in enumerate(candidates)}
        while waiting:
            ready, _ = self.ray.wait(list(waiting), num_returns=1)
            for reference in ready:
                yield waiting.pop(reference), self.ray.get(reference)

    def close(self) -> None:
        """End the connection, and the cluster where it was made here."""
        self.ray.shutdown()
