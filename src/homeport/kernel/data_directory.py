"""The directory of what a server must not lose: one server at a time, and nobody else looks in."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from homeport.kernel.errors import Conflict, Unavailable


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
