"""The file of the server's secrets, one a line: the first seals, all of them open."""

from __future__ import annotations

import fcntl
import os
import secrets
import stat
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from homeport.kernel.crypto import SECRET_MIN_LENGTH, SecretUnsafe
from homeport.kernel.errors import Conflict

SECRET_BYTES: Final = 32


class SecretsInUse(Conflict):
    """Another command changes the file, or has just changed it."""

    code = "secret.in-use"
    title = "The secrets are being changed"


def new_secret() -> bytes:
    """A secret that nobody can guess, as text of one line."""
    return secrets.token_hex(SECRET_BYTES).encode()


def load_secrets(path: Path) -> tuple[bytes, ...]:
    """The secrets in `path`, made there (0600) with one when there is none.

    Two processes that start at once end up with the same secret.

    Raises:
        SecretUnsafe: Other users of the machine may read the file, or it holds too little.
    """
    if not path.exists():
        _make(path)
    mode = path.stat().st_mode
    if stat.S_IMODE(mode) & 0o077:
        raise SecretUnsafe(f"Other users of this machine may read {path}. Run: chmod 600 {path}")
    found = tuple(line.strip() for line in path.read_bytes().splitlines() if line.strip())
    if not found or min(map(len, found)) < SECRET_MIN_LENGTH:
        raise SecretUnsafe(f"{path} holds too few bytes; restore it from where you keep it.")
    return found


@contextmanager
def secrets_lock(path: Path) -> Generator[None]:
    """Holds the file against other commands that change it; whoever only reads needs no lock.

    The lock is on a file of its own, because the other is replaced as a whole; that one is open for
    writing, as NFS wants it for an exclusive lock (flock(2)).

    Raises:
        SecretsInUse: Another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = path.with_name(f"{path.name}.lock")
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            message = f"Another command works on {path}. Wait until it is done, and try again."
            raise SecretsInUse(message) from None
        yield
    finally:
        os.close(descriptor)


def store_secrets(path: Path, known: Sequence[bytes]) -> None:
    """Replaces the file at once and whole: whoever reads meanwhile finds the old or the new one."""
    name = _written(path, known)
    try:
        os.replace(name, path)  # noqa: PTH105 - beside os.link, which has no other name
    except OSError:
        Path(name).unlink()
        raise
    _sync_directory(path.parent)


def _make(path: Path) -> None:
    """Puts a complete file in place or none at all; whoever comes second keeps the first one's."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = _written(path, (new_secret(),))
    try:
        os.link(name, path)
        _sync_directory(path.parent)
    except FileExistsError:
        return
    finally:
        Path(name).unlink()


def _written(path: Path, known: Sequence[bytes]) -> str:
    """A file beside `path` that holds the secrets, safe on the disk."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "wb") as file:
        file.write(b"".join(secret + b"\n" for secret in known))
        file.flush()
        os.fsync(file.fileno())
    return name


def _sync_directory(path: Path) -> None:
    directory = os.open(path, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
