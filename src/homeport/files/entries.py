"""What is known about a file or folder without reading it."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from homeport.files.paths import is_text

Kind = Literal["file", "folder", "link", "other"]
OURS = (".homeport-", ".tmp")
"""How the names of files that are being written begin and end."""


@dataclass(frozen=True, slots=True)
class FileStat:
    """One path as it is now.

    `etag` is a strong validator (RFC 9110 section 8.8.1) without quotes: it covers inode, size,
    mtime and ctime in nanoseconds, and every write through `Workspace` makes a new inode. Folders
    have none.
    """

    path: str
    kind: Kind
    size: int
    modified_at: datetime
    executable: bool
    etag: str | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in a folder; a link is told as a link."""

    name: str
    path: str
    kind: Kind
    size: int
    modified_at: datetime


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of a folder and how many names it has in all."""

    entries: tuple[Entry, ...]
    total: int


def stat_of(path: str, status: os.stat_result) -> FileStat:
    """`status` in our words."""
    kind = _kind(status.st_mode)
    return FileStat(
        path=path,
        kind=kind,
        size=status.st_size,
        modified_at=_moment(status),
        executable=kind == "file" and bool(status.st_mode & stat.S_IXUSR),
        etag=_etag(status) if kind == "file" else None,
    )


def names_in(folder: int) -> list[str]:
    """The names in an open folder, sorted; those that no client could ask for again are left out.

    These are names that are no valid Unicode, and files that are just being written.
    """
    with os.scandir(folder) as entries:
        found = [entry.name for entry in entries]
    return sorted(name for name in found if is_text(name) and not _is_ours(name))


def entry_of(folder: int, prefix: str, name: str) -> Entry | None:
    """The entry `name` of an open folder; None when it vanished meanwhile."""
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    path = f"{prefix}/{name}" if prefix else name
    return Entry(name, path, _kind(status.st_mode), status.st_size, _moment(status))


def _is_ours(name: str) -> bool:
    """Whether a name is that of a file just being written."""
    return name.startswith(OURS[0]) and name.endswith(OURS[1])


def _kind(mode: int) -> Kind:
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "folder"
    return "link" if stat.S_ISLNK(mode) else "other"


def _moment(status: os.stat_result) -> datetime:
    return datetime.fromtimestamp(status.st_mtime, UTC)


def _etag(status: os.stat_result) -> str:
    facts = (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:32]
