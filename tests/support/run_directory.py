"""One directory per test run, shared by its workers: templates, locks, the guardian's socket."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

VARIABLE = "HOMEPORT_TEST_RUN"  # how the workers of a run learn of its directory


def make_run_directory() -> Path:
    """Makes the run's directory and names it to the workers that are started later."""
    folder = Path(tempfile.mkdtemp(prefix="homeport-test-"))
    folder.chmod(0o711)  # another user may have to reach the PostgreSQL below it
    os.environ[VARIABLE] = str(folder)  # noqa: TID251 - workers inherit nothing else
    return folder


def run_directory() -> Path:
    """The directory of this run."""
    return Path(os.environ[VARIABLE])  # noqa: TID251 - set by make_run_directory


def remove_run_directory() -> None:
    """Removes what the run has left."""
    shutil.rmtree(run_directory(), ignore_errors=True)


@contextmanager
def once(name: str) -> Generator[bool]:
    """Yields True to the first worker of the run that asks for `name`, False to those after it.

    The others wait until the first is done; when the first fails, the next one is the first.
    """
    marker = run_directory() / f"{name}.done"
    with (run_directory() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        first = not marker.exists()
        yield first
        marker.touch()
