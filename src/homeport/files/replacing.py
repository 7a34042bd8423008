"""Replaces a file whole or not at all: a temporary file in the same folder, then a rename."""

from __future__ import annotations

import os
import secrets
import stat
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress

from homeport.files.entries import OURS

STRIPES = tuple(threading.Lock() for _ in range(64))
NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def turn_of(folder: int, name: str) -> Generator[None]:
    """Lets one writer of this process at a time compare and replace a file.

    A lock in the file system would be in the workspace, where the agent could hold it for ever.
    """
    status = os.fstat(folder)
    with STRIPES[hash((status.st_dev, status.st_ino, name)) % len(STRIPES)]:
        yield


def put(
    folder: int, name: str, data: bytes, old: os.stat_result | None, *, exclusive: bool
) -> os.stat_result:
    """Puts `data` under `name` in an open folder and returns its status.

    Args:
        folder: Descriptor of the folder.
        name: One path part.
        data: The whole content.
        old: What is there now; its permission bits and, where allowed, its owner are kept.
        exclusive: Fail with EEXIST when somebody else made the name meanwhile.

    Raises:
        OSError: Nothing was changed.
    """
    temporary = f"{OURS[0]}{secrets.token_hex(8)}{OURS[1]}"
    descriptor = os.open(temporary, NEW, 0o666, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            if old is not None:
                _keep(descriptor, old)
            file.flush()
            os.fsync(descriptor)
        if exclusive:
            os.link(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
            os.unlink(temporary, dir_fd=folder)
        else:
            os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=folder)
        raise
    return os.stat(name, dir_fd=folder, follow_symlinks=False)


def _keep(descriptor: int, old: os.stat_result) -> None:
    if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
        with suppress(PermissionError):  # only root gives files away; others become the owner
            os.fchown(descriptor, old.st_uid, old.st_gid)
    # Writing through a file drops set-uid and set-gid; so does replacing it.
    os.fchmod(descriptor, stat.S_IMODE(old.st_mode) & 0o777)
