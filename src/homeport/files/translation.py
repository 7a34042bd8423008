"""Tells what the operating system said in Homeport's own kinds, without host paths."""

from __future__ import annotations

import errno
from collections.abc import Generator
from contextlib import contextmanager

from homeport.files.errors import (
    BadPath,
    FileBusy,
    FileExists,
    FileNotFound,
    FolderNotEmpty,
    NotAFile,
    NotAFolder,
    NotPermitted,
    OutsideWorkspace,
    WorkspaceFull,
)
from homeport.kernel.errors import HomeportError

KINDS: dict[int, tuple[type[HomeportError], str]] = {
    errno.EXDEV: (OutsideWorkspace, "{} leads out of the workspace."),
    errno.ELOOP: (OutsideWorkspace, "The symbolic links of {} do not end in the workspace."),
    errno.ENOENT: (FileNotFound, "There is no {}."),
    errno.ESTALE: (FileNotFound, "{} vanished."),
    errno.ENOTDIR: (NotAFolder, "A part of {} is not a folder."),
    errno.EISDIR: (NotAFile, "{} is a folder."),
    errno.ENXIO: (NotAFile, "{} is not a regular file."),
    errno.ENODEV: (NotAFile, "{} is not a regular file."),
    errno.EEXIST: (FileExists, "{} exists already."),
    errno.ENOTEMPTY: (FolderNotEmpty, "{} is not empty."),
    errno.ENAMETOOLONG: (BadPath, "{} is longer than the file system takes."),
    errno.EINVAL: (BadPath, "The file system does not take the name {}."),
    errno.EILSEQ: (BadPath, "The file system does not take the name {}."),
    errno.EAGAIN: (FileBusy, "{} changes all the time; try again."),
    errno.EBUSY: (FileBusy, "{} is in use."),
    errno.EACCES: (NotPermitted, "The server may not do that with {}."),
    errno.EPERM: (NotPermitted, "The server may not do that with {}."),
    errno.EROFS: (NotPermitted, "{} is on a read-only file system."),
    errno.ENOSPC: (WorkspaceFull, "There is no space left for {}."),
    errno.EDQUOT: (WorkspaceFull, "There is no space left for {}."),
}


@contextmanager
def told(path: str) -> Generator[None]:
    """Raises the kind that fits an `OSError` inside; an unknown one passes as it is."""
    try:
        yield
    except OSError as error:
        known = KINDS.get(error.errno or 0)
        if known is None:
            raise
        kind, sentence = known
        raise kind(sentence.format(path or "."), param="path") from error
