"""Processes that work on one study: who may propose, and who is still alive.

Both are locks that end with the process that holds them, so nothing waits for a time limit and nothing has to be tidied
up after SIGKILL: locks of files on one machine, advisory locks of PostgreSQL between machines.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

from tinyforge.errors import ToolMissing, UsageError


class Peers(Protocol):
    """name: of this process among those of the study."""

    name: str

    def lead(self, what: str = "study") -> AbstractContextManager[None]:
        """Wait until no other process is in a block of the same ``what``."""
        ...

    def alive(self, name: str) -> bool:
        """Whether the process of that name still runs."""
        ...

    def close(self) -> None:
        """This process leaves the study."""
        ...

    def __enter__(self) -> Peers: ...

    def __exit__(self, *error: object) -> None: ...


class FilePeers:
    """Processes of one machine: every one holds a lock on a file of its own in ``folder``.

    alone: refuse to join where another process is (UsageError).
    """

    def __init__(self, folder: Path, alone: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.name = secrets.token_hex(8)
        self._held = [_lock(folder / name, wait=False) for name in (["alone"] if alone else []) + [self.name]]
        if None in self._held:
            self.close()
            raise UsageError(
                f"another process works on this study ({folder.parent}); wait for it, or begin with --workers 2 or "
                "more, or with --storage postgresql://..."
            )

    @contextmanager
    def lead(self, what: str = "study") -> Iterator[None]:
        """See Peers."""
        held = _lock(self.folder / f"lead-{what}", wait=True)
        assert held is not None
        with held:
            yield

    def alive(self, name: str) -> bool:
        """See Peers."""
        if name == self.name:
            return True
        path = self.folder / name
        if not path.is_file():
            return False
        held = _lock(path, wait=False)
        if held is None:
            return True
        with held:
            path.unlink(missing_ok=True)
        return False

    def close(self) -> None:
        """See Peers."""
        (self.folder / self.name).unlink(missing_ok=True)
        for file in self._held:
            if file is not None:
                file.close()
        self._held = []

    def __enter__(self) -> FilePeers:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _lock(path: Path, wait: bool) -> IO[bytes] | None:
    """The file, locked until it is closed; None where another holds it and ``wait`` is False."""
    try:
        import fcntl
    except ImportError as error:
        raise ToolMissing("searching needs file locks of Linux or macOS; on Windows use WSL") from error
    file = path.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        file.close()
        return None
    return file


class PostgresPeers:
    """Processes anywhere: every one holds advisory locks in a session of its own."""

    def __init__(self, url: str, study: str) -> None:
        import sqlalchemy

        self._text = sqlalchemy.text
        self.study, self.name = study, secrets.token_hex(8)
        try:
            engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.pool.NullPool)
            self._session = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            # A machine that vanished without a word is noticed within a minute.
            for name, value in (("idle", 20), ("interval", 10), ("count", 3)):
                self._session.execute(self._text(f"SET tcp_keepalives_{name} = {value}"))
        except sqlalchemy.exc.SQLAlchemyError as error:
            raise UsageError(f"the study's database cannot be reached: {str(error).splitlines()[0]}") from error
        self._ask("pg_advisory_lock", self.name)

    def _ask(self, function: str, name: str) -> Any:
        digest = hashlib.sha256(f"{self.study}/{name}".encode()).digest()
        key = int.from_bytes(digest[:8], "big", signed=True)
        return self._session.execute(self._text(f"SELECT {function}(:key)"), {"key": key}).scalar()

    @contextmanager
    def lead(self, what: str = "study") -> Iterator[None]:
        """See Peers."""
        self._ask("pg_advisory_lock", f"lead-{what}")
        try:
            yield
        finally:
            self._ask("pg_advisory_unlock", f"lead-{what}")

    def alive(self, name: str) -> bool:
        """See Peers."""
        if name == self.name:
            return True
        if not self._ask("pg_try_advisory_lock", name):
            return True
        self._ask("pg_advisory_unlock", name)
        return False

    def close(self) -> None:
        """See Peers."""
        self._session.close()

    def __enter__(self) -> PostgresPeers:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
