"""Remembers a few small trees and puts them back.

Every step goes through directory descriptors and follows no symbolic link: what is put back lies
where it was, whatever a command has made of the directories above it.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from homeport.sandbox.errors import CommandRefused

_MOST_BYTES = 8 << 20
_MOST_ENTRIES = 2_000
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


@dataclass(frozen=True, slots=True)
class _Entry:
    """A file (its bytes), a link (its target), a directory (its entries) or anything else."""

    kind: int
    mode: int
    content: bytes
    below: tuple[tuple[str, _Entry], ...]


class _Room:
    """What may still be remembered."""

    def __init__(self) -> None:
        self.left_bytes = _MOST_BYTES
        self.left_entries = _MOST_ENTRIES

    def take(self, size: int) -> None:
        self.left_bytes -= size
        self.left_entries -= 1
        if self.left_bytes < 0 or self.left_entries < 0:
            raise CommandRefused(
                "The protected files of this workspace are too large to be watched over; "
                "the full sandbox has no such limit."
            )


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How some names of a workspace were."""

    workspace: Path
    entries: tuple[tuple[str, _Entry | None], ...]

    @classmethod
    def take(cls, workspace: Path, names: Sequence[str]) -> Snapshot:
        """Remember `names`, relative paths.

        Raises:
            CommandRefused: They hold more than 8 MiB or 2,000 entries.
        """
        room = _Room()
        return cls(workspace, tuple((name, _look(workspace, name, room)) for name in names))

    def restore(self) -> list[str]:
        """Put back what differs; returns those names."""
        changed: list[str] = []
        for name, before in self.entries:
            try:
                after = _look(self.workspace, name, _Room())
            except CommandRefused:
                after = _Entry(-1, 0, b"", ())  # it has grown beyond measure: it differs
            if after != before:
                _put(self.workspace, name, before)
                changed.append(name)
        return changed


def _look(workspace: Path, name: str, room: _Room) -> _Entry | None:
    try:
        parent = _walk(workspace, name.split("/")[:-1], make=False)
    except OSError:
        return None
    try:
        return _entry(parent, name.rsplit("/", 1)[-1], room)
    except FileNotFoundError:
        return None
    finally:
        os.close(parent)


def _walk(workspace: Path, parts: Sequence[str], *, make: bool) -> int:
    here = os.open(workspace, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    for part in parts:
        try:
            if make:
                _clear_way(here, part)
            below = os.open(part, _DIRECTORY, dir_fd=here)
        finally:
            os.close(here)
        here = below
    return here


def _clear_way(parent: int, name: str) -> None:
    try:
        if stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
            return
        os.unlink(name, dir_fd=parent)
    except FileNotFoundError:
        pass
    os.mkdir(name, 0o755, dir_fd=parent)


def _entry(parent: int, name: str, room: _Room) -> _Entry:
    found = os.stat(name, dir_fd=parent, follow_symlinks=False)
    kind, mode = stat.S_IFMT(found.st_mode), stat.S_IMODE(found.st_mode)
    room.take(found.st_size if kind == stat.S_IFREG else 0)
    if kind == stat.S_IFLNK:
        return _Entry(kind, mode, os.fsencode(os.readlink(name, dir_fd=parent)), ())
    if kind == stat.S_IFREG:
        with os.fdopen(os.open(name, _FILE, dir_fd=parent), "rb") as file:
            return _Entry(kind, mode, file.read(_MOST_BYTES + 1), ())
    if kind != stat.S_IFDIR:
        return _Entry(kind, mode, b"", ())
    here = os.open(name, _DIRECTORY, dir_fd=parent)
    try:
        below = tuple((n, _entry(here, n, room)) for n in sorted(os.listdir(here)))  # noqa: PTH208 - of a descriptor
    finally:
        os.close(here)
    return _Entry(kind, mode, b"", below)


def _put(workspace: Path, name: str, entry: _Entry | None) -> None:
    parts = name.split("/")
    if entry is None:
        try:
            parent = _walk(workspace, parts[:-1], make=False)
        except OSError:
            return  # what is above it has gone or is no directory: so is it
    else:
        parent = _walk(workspace, parts[:-1], make=True)
    try:
        remove(parent, parts[-1])
        if entry is not None:
            _make(parent, parts[-1], entry)
    finally:
        os.close(parent)


def remove(parent: int, name: str) -> None:
    """Remove `name` and all below it from the directory `parent` is open on."""
    try:
        if stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
            shutil.rmtree(name, dir_fd=parent)
        else:
            os.unlink(name, dir_fd=parent)
    except FileNotFoundError:
        return


def _make(parent: int, name: str, entry: _Entry) -> None:
    if entry.kind == stat.S_IFLNK:
        os.symlink(os.fsdecode(entry.content), name, dir_fd=parent)
    elif entry.kind == stat.S_IFREG:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(name, flags, 0o600, dir_fd=parent), "wb") as file:
            file.write(entry.content)
            os.fchmod(file.fileno(), entry.mode)
    elif entry.kind == stat.S_IFDIR:
        os.mkdir(name, 0o700, dir_fd=parent)
        here = os.open(name, _DIRECTORY, dir_fd=parent)
        try:
            for below, child in entry.below:
                _make(here, below, child)
            os.fchmod(here, entry.mode)
        finally:
            os.close(here)
