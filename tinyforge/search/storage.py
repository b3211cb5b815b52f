"""Where a study's trials are kept: an SQLite file for one process, a journal file for several on one machine,
PostgreSQL for several machines."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tinyforge.errors import ToolMissing, UsageError
from tinyforge.search.files import load_json, save_json
from tinyforge.search.needs import missing
from tinyforge.search.peers import FilePeers, Peers, PostgresPeers

DATABASE, JOURNAL, PLACE = "study.db", "study.journal", "storage.json"
INSTALL = "pip install 'tinyforge[postgres]'"
URLS = "sqlite:///FILE, journal:///FILE or postgresql://USER@HOST/DATABASE"


def optuna() -> Any:
    """The module, silent. Raises ToolMissing."""
    try:
        import optuna as module
    except ImportError as error:
        raise missing("Optuna") from error
    module.logging.set_verbosity(module.logging.ERROR)
    return module


@dataclass(frozen=True, slots=True)
class Place:
    """A study in a storage. url: as for ``--storage``; name: of the study there, for a database may hold several."""

    url: str
    name: str

    @property
    def single(self) -> bool:
        """Whether one process at a time may work on it."""
        return self.url.startswith("sqlite:")

    @property
    def file(self) -> Path:
        """The file of ``sqlite:///FILE`` and ``journal:///FILE``."""
        return Path(self.url.split("://", 1)[1].removeprefix("/"))


def check_url(url: str | None) -> None:
    """Raises UsageError for a storage that is not known."""
    if url is not None and not url.startswith(("sqlite:///", "journal:///", "postgresql")):
        raise UsageError(f"--storage {url} is not known; give {URLS}")


def study_place(folder: Path, url: str | None, workers: int = 1) -> Place:
    """Where the study of ``folder`` is kept: decided when it begins, written down there (without a password), the same
    from then on. url: what was asked for; None: a file in the folder.

    Raises UsageError for a storage of another kind, or another one than the study's.
    """
    file = folder / PLACE
    check_url(url)
    if file.is_file():
        return _known_place(folder, url, workers)
    place = Place(
        url or _in_folder(folder, "sqlite" if workers == 1 else "journal"), f"tinyforge-{secrets.token_hex(4)}"
    )
    if place.single and workers > 1:
        raise UsageError(
            f"SQLite is for one process; with --workers {workers} leave --storage out, or give journal:///FILE"
        )
    save_json(file, {"url": _without_password(url) if url else place.url.split(":")[0], "name": place.name})
    return place


def _in_folder(folder: Path, kind: str) -> str:
    return f"{kind}:///{folder / (DATABASE if kind == 'sqlite' else JOURNAL)}"


def _known_place(folder: Path, url: str | None, workers: int) -> Place:
    known = load_json(folder / PLACE)
    kept, name = str(known["url"]), str(known["name"])
    if url is not None and _without_password(url) != kept:
        raise UsageError(f"the study in {folder} is kept in {kept}; leave --storage out, or start another study")
    place = Place(url or (kept if ":" in kept else _in_folder(folder, kept)), name)
    if not place.single or workers == 1:
        return place
    return _moved_to_journal(folder, place)


def _moved_to_journal(folder: Path, old: Place) -> Place:
    """A study begun by one process goes on with several."""
    new = Place(_in_folder(folder, "journal"), old.name)
    with open_peers(old):
        if old.file.is_file() and not new.file.is_file():
            optuna().copy_study(
                from_study_name=old.name,
                to_study_name=old.name,
                from_storage=open_storage(old),
                to_storage=open_storage(new),
            )
        save_json(folder / PLACE, {"url": "journal", "name": new.name})
    return new


def _without_password(url: str) -> str:
    return re.sub(r"(//[^:/@]*):[^@/]*@", r"\1@", url)


def _with_driver(url: str) -> str:
    """``postgresql://`` names no driver, and SQLAlchemy's default changes with its version: one that is there."""
    scheme, rest = url.split("://", 1)
    if scheme != "postgresql":
        return url
    for driver in ("psycopg", "psycopg2"):
        if find_spec(driver) is not None:
            return f"postgresql+{driver}://{rest}"
    raise ToolMissing(f"PostgreSQL needs a driver, which is not installed; install it with: {INSTALL}")


def open_storage(place: Place) -> Any:
    """Optuna's storage. Raises UsageError where it cannot be opened, ToolMissing without a driver for it."""
    module = optuna()
    if place.url.startswith("journal:"):
        place.file.parent.mkdir(parents=True, exist_ok=True)
        return module.storages.JournalStorage(module.storages.journal.JournalFileBackend(str(place.file)))
    try:
        return module.storages.RDBStorage(_with_driver(place.url))
    except Exception as error:
        text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UsageError(f"the storage {_without_password(place.url)} cannot be opened: {text}") from error


def open_peers(place: Place) -> Peers:
    """The other processes of the study, as seen by this one. Raises UsageError where there may be none and is one."""
    if place.url.startswith("postgresql"):
        return PostgresPeers(_with_driver(place.url), place.name)
    return FilePeers(place.file.with_name(f"{place.file.name}.peers"), alone=place.single)
