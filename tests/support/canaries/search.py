"""Searches what the servers of the tests have left behind, and counts what was searched."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Coroutine, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from support.canaries import traces
from support.canaries.needles import Haystack
from support.canaries.private_keys import private_keys
from support.canaries.seen import SEEN, Secret, of_settings

Found = TypeVar("Found")
Places = Iterable[tuple[str, bytes]]


class SecretLeaked(AssertionError):
    """A secret stands where none may; says of what kind, in which form and where."""


@dataclass
class Totals:
    """What was looked for, and in how much."""

    secrets: int = 0
    kinds: set[str] = field(default_factory=set[str])
    searched: int = 0
    leaks: int = 0

    def plain(self) -> dict[str, Any]:
        """For another process."""
        return {**asdict(self), "kinds": sorted(self.kinds)}

    def add(self, plain: Mapping[str, Any]) -> None:
        """What another process has counted."""
        self.secrets += plain["secrets"]
        self.kinds |= set(plain["kinds"])
        self.searched += plain["searched"]
        self.leaks += plain["leaks"]

    def told(self) -> str:
        """For the end of the run."""
        return (
            f"run, {self.secrets} of {len(self.kinds)} kinds looked for in "
            f"{self.searched / 1e6:.0f} MB of databases, logs and copies: {self.leaks} found"
        )


TOTALS = Totals()
"""Of this process; the main process adds what its workers have counted."""


def leaks(secrets: Iterable[Secret], places: Places) -> list[str]:
    """Where which kind of secret stands, and in which form."""
    haystack, found = Haystack(secrets), list[str]()
    for where, content in places:
        needles = haystack.found_in(content)
        found += sorted({f"{needle.kind} ({needle.form}) in {where}" for needle in needles})
    return found


def search(secrets: Iterable[Secret], places: Places) -> None:
    """Looks for `secrets` in `places`, and counts what was searched.

    Raises:
        SecretLeaked: There is one.
    """
    kept = set(secrets)
    found = leaks(kept, _counted(places))
    TOTALS.secrets += len(kept)
    TOTALS.kinds |= {secret.kind for secret in kept}
    TOTALS.leaks += len(found)
    if found:
        raise SecretLeaked("\n".join(found))


def search_database(url: str, secrets: Iterable[Secret]) -> None:
    """Looks for `secrets` in a database that nobody has open: its files, or its rows.

    Raises:
        SecretLeaked: There is one.
    """
    path = traces.sqlite_path(url)
    if path is None:
        search(secrets, [("the rows", _rows(url))])
    else:
        search(secrets, _beside(path))


def everything(
    data_dir: Path,
    settings: Mapping[str, str],
    *,
    place: str,
    output: Mapping[str, bytes],
    thoroughly: bool,
) -> None:
    """Looks in whatever a server has left.

    Args:
        data_dir: Where it kept its files; the server is gone.
        settings: Those it was given.
        place: Its origin.
        output: What it has written elsewhere, by name.
        thoroughly: Also in the rows of its database, and in a backup of it.

    Raises:
        SecretLeaked: One of the secrets that it gave or was given is there.
    """
    secrets = [*SEEN.at(place), *of_settings(settings)]
    files = itertools.chain(output.items(), traces.files_in(data_dir))
    if not thoroughly:
        search(secrets, files)
        return
    url = settings.get("DATABASE_URL", f"sqlite:///{data_dir / 'homeport.db'}")
    secrets += private_keys(_sealed_keys(url), data_dir, settings)
    with TemporaryDirectory() as folder:
        search(secrets, itertools.chain(files, _database(url, data_dir, Path(folder))))


def _counted(places: Places) -> Iterator[tuple[str, bytes]]:
    for where, content in places:
        TOTALS.searched += len(content)
        yield where, content


def _database(url: str, data_dir: Path, folder: Path) -> Iterator[tuple[str, bytes]]:
    path = traces.sqlite_path(url)
    if path is None:
        yield "the rows", _rows(url)
        yield "a dump", traces.postgresql_dump(url)
        return
    if not path.is_relative_to(data_dir):
        yield from _beside(path)
    copy = traces.sqlite_copy(path, folder)
    yield "the rows", traces.sqlite_rows(copy)
    yield from traces.files_in(folder)


def _beside(path: Path) -> Iterator[tuple[str, bytes]]:
    """A SQLite database and its write-ahead log."""
    for each in (path, path.with_name(f"{path.name}-wal")):
        if each.exists():
            yield each.name, each.read_bytes()


def _rows(url: str) -> bytes:
    return _wait_for(traces.postgresql_rows(url))


def _sealed_keys(url: str) -> dict[str, bytes]:
    path = traces.sqlite_path(url)
    if path is None:
        return _wait_for(traces.postgresql_keys(url))
    return traces.sqlite_keys(path)


def _wait_for(work: Coroutine[object, object, Found]) -> Found:
    """Runs `work` to its end in a thread: the caller's may own an event loop."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, work).result()
