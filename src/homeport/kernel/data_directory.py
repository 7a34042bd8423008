"""The directory of what a server must not lose: one server at a time, and nobody else looks in."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from homeport.kernel.errors import Conflict, Unavailable
from homeport.kernel.private_file import close_to_others

OURS = ("server.lock", "homeport.db", "secret.key")


class DataDirectoryInUse(Conflict):
    """Another server works on this directory."""

    code = "storage.data-directory-in-use"
    title = "Another Homeport uses this data directory"


class DataDirectoryUnusable(Unavailable):
    """The directory cannot be made, or not be written."""

    code = "storage.data-directory-unusable"
    title = "The data directory cannot be used"


def make_data_directory(path: Path) -> None:
    """Makes `path` for its owner alone (0700); leaves one that exists as it is.

    Raises:
        DataDirectoryUnusable: It cannot be made.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(path, error) from error


def tighten_data_directory(path: Path) -> int | None:
    """Makes a directory that others may enter its owner's alone.

    A directory that holds other things and none of Homeport's, or that is shared by its sticky bit
    (/tmp), is left alone: other programs need it as it is.

    Returns:
        The mode that it had, None when it was left as it is.

    Raises:
        DataDirectoryUnusable: It keeps its mode.
    """
    try:
        if path.stat().st_mode & stat.S_ISVTX:
            return None
        names = {each.name for each in path.iterdir()}
        if names and names.isdisjoint(OURS):
            return None
        return close_to_others(path)
    except OSError as error:
        raise _unusable(path, error) from error


@contextmanager
def data_directory_lock(path: Path) -> Generator[None]:
    """Holds the directory's lock until the block, or the process, ends.

    Raises:
        DataDirectoryInUse: Another process holds the lock.
        DataDirectoryUnusable: It cannot be written.
    """
    try:
        descriptor = os.open(path / "server.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unusable(path, error) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            message = f"Another Homeport runs on {path}. Stop it, or set DATA_DIR."
            raise DataDirectoryInUse(message) from None
        yield
    finally:
        os.close(descriptor)


def _unusable(path: Path, error: OSError) -> DataDirectoryUnusable:
    message = f"{path}: {error.strerror}. Set DATA_DIR to a directory that can be written."
    return DataDirectoryUnusable(message)
