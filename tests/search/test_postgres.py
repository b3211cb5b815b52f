"""Two processes and a PostgreSQL server, as two machines would share a study; the server is started here."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.search.study_runs import finish, kill_when, start

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        find_spec("optuna") is None or not any(map(find_spec, ("psycopg", "psycopg2"))),
        reason="needs tinyforge[search,postgres]",
    ),
]


def binary(name: str) -> str:
    """Path of a program of PostgreSQL, which Debian keeps out of PATH."""
    found = shutil.which(name) or next(map(str, Path("/usr/lib/postgresql").glob(f"*/bin/{name}")), None)
    if found is None:
        pytest.skip(f"{name} of PostgreSQL is not installed")
    return found


def unprivileged() -> str | None:
    """Whom to run the server as: it refuses root."""
    if os.geteuid() != 0:
        return None
    return next((u.pw_name for u in pwd.getpwall() if u.pw_name in ("postgres", "nobody")), None) or pytest.skip(
        "PostgreSQL does not run as root, and there is no user postgres or nobody"
    )


@pytest.fixture
def server() -> Iterator[str]:
    """URL of an empty database."""
    initdb, control, user = binary("initdb"), binary("pg_ctl"), unprivileged()
    with tempfile.TemporaryDirectory(prefix="pg", ignore_cleanup_errors=True) as place, socket.socket() as probe:
        if user:
            shutil.chown(place, user)
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()

        def call(*words: str) -> None:
            subprocess.run(words, check=True, user=user, cwd=place, stdout=subprocess.DEVNULL, timeout=120)

        data = f"{place}/data"
        call(initdb, "-D", data, "-U", "search", "-A", "trust", "--no-sync")
        options = f"-p {port} -k {place} -c listen_addresses=127.0.0.1 -c fsync=off"
        call(control, "-D", data, "-w", "-l", f"{place}/log", "-o", options, "start")
        try:
            yield f"postgresql://search@127.0.0.1:{port}/postgres"
        finally:
            call(control, "-D", data, "-m", "immediate", "stop")


def test_two_processes_share_a_database_and_one_is_killed(
    tmp_path: Path, server: str, expected: dict[str, Any]
) -> None:
    first = start(tmp_path / "study", 0.2, server)
    while not (tmp_path / "study" / "storage.json").is_file():
        assert first.poll() is None
    second = start(tmp_path / "study", 0.2, server)
    judged = tmp_path / "study" / "judged.txt"
    kill_when(judged, 14, second)
    assert finish(first) == expected
    after = judged.read_text().split()
    assert len(after) - len(set(after)) <= 1
    # What is there is taken over by whoever comes later.
    assert finish(start(tmp_path / "study", 0, server)) == expected
    assert judged.read_text().split() == after
