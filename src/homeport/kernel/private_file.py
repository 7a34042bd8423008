"""Files that only their owner reads, whatever the umask and the directory they lie in."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Final

PRIVATE: Final = 0o600
_OTHERS: Final = 0o077


def make_private(path: Path) -> None:
    """Makes an empty file (0600) when there is none, else takes away what others may do with it.

    A file that is there is never opened: to close it would drop the locks that SQLite holds in this
    process (fcntl(2)).

    Raises:
        OSError: It cannot be made, or is ours and keeps its mode.
    """
    target = path.resolve()
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        os.close(os.open(target, flags, PRIVATE))
    except FileExistsError:
        close_to_others(target)


def close_to_others(path: Path) -> int | None:
    """Takes group's and everybody's rights from what is there and belongs to this user.

    Returns:
        The mode that it had, None when nothing was to be done.

    Raises:
        OSError: It keeps its mode.
    """
    try:
        found = path.stat()
        mode = stat.S_IMODE(found.st_mode)
        if found.st_uid != os.geteuid() or not mode & _OTHERS:
            return None
        path.chmod(mode & ~_OTHERS)
    except OSError as error:
        # Gone meanwhile, as SQLite's own files go; or it lies where nothing can be changed.
        if error.errno in {errno.ENOENT, errno.EROFS}:
            return None
        raise
    return mode
