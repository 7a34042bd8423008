"""The one door to a workspace's files: every path is relative, and nothing leads out.

All methods block; callers on the event loop go through `asyncio.to_thread`.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from homeport.files.containment import (
    Opener,
    Place,
    best_opener,
    is_regular,
    locate,
    make_folders,
    open_root,
)
from homeport.files.entries import Entry, FileStat, Listing, entry_of, names_in, stat_of
from homeport.files.errors import (
    FileChanged,
    FileNotFound,
    FileTooLarge,
    NotAFile,
    NotAFolder,
    OutsideWorkspace,
)
from homeport.files.paths import parts_of
from homeport.files.protected import refuse_protected
from homeport.files.replacing import put, turn_of
from homeport.files.translation import told
from homeport.files.walking import Check, walk

ABSENT = "absent"
"""As `if_etag`: the file must not exist yet."""
WHOLE_BYTES = 10 << 20
# A pipe must not block the open, and a terminal must not become the server's own.
READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
LOOK = getattr(os, "O_PATH", READ) | os.O_CLOEXEC


class Workspace:
    """A directory and the files beneath it.

    Args:
        root: Absolute, with every link on the way resolved.
        whole_bytes: How much `read` returns at most when no limit is given.
        opener: How paths are opened; the best that this system has unless a test says otherwise.
    """

    def __init__(
        self, root: Path, *, whole_bytes: int = WHOLE_BYTES, opener: Opener | None = None
    ) -> None:
        self.root = root
        self._whole_bytes = whole_bytes
        self._opener = opener or best_opener()

    def stat(self, path: str) -> FileStat:
        """What is at `path`, links followed.

        Raises:
            FileNotFound, OutsideWorkspace, BadPath, WorkspaceMissing: See `files.errors`.
        """
        parts = parts_of(path)
        with self._root() as root, told(path):
            descriptor = self._opener(root, parts, LOOK)
            try:
                return stat_of("/".join(parts), os.fstat(descriptor))
            finally:
                os.close(descriptor)

    def exists(self, path: str) -> bool:
        """Whether something is at `path`, links followed.

        Raises:
            OutsideWorkspace: The path leads out; what is there is not told.
        """
        try:
            self.stat(path)
        except (FileNotFound, NotAFolder):
            return False
        return True

    @contextmanager
    def open(self, path: str) -> Generator[BinaryIO]:
        """The regular file at `path`, for reading in parts; never blocks on a pipe or a device.

        Raises:
            FileNotFound, NotAFile, OutsideWorkspace, NotPermitted: See `files.errors`.
        """
        parts = parts_of(path)
        with self._root() as root, told(path):
            descriptor = self._opener(root, parts, READ)
        if not is_regular(descriptor):
            os.close(descriptor)
            raise NotAFile(f"{path or '.'} is not a regular file.", param="path")
        with os.fdopen(descriptor, "rb") as file:
            yield file

    def read(self, path: str, offset: int = 0, limit: int | None = None) -> bytes:
        """Bytes of the file at `path` from `offset`, at most `limit`.

        Raises:
            FileTooLarge: No limit was given and the rest is longer than `whole_bytes`.
            FileNotFound, NotAFile, OutsideWorkspace: See `files.errors`.
        """
        with self.open(path) as file, told(path):
            size = os.fstat(file.fileno()).st_size
            if limit is None and size - offset > self._whole_bytes:
                raise FileTooLarge(
                    f"{path} has {size} bytes; read it in parts.", param="path", size=size
                )
            file.seek(max(offset, 0))
            return file.read(self._whole_bytes if limit is None else max(limit, 0))

    def write(
        self, path: str, data: bytes, *, create_dirs: bool = False, if_etag: str | None = None
    ) -> FileStat:
        """Puts `data` at `path`, whole or not at all; mode bits of what was there are kept.

        A link that is the last part is followed, also when it dangles; a hard link is broken, so
        the other names of the old file keep the old content. Returns what is there now.

        Args:
            path: Where.
            data: The whole content.
            create_dirs: Make missing folders on the way.
            if_etag: Only when the file still has this ETag; `ABSENT`: only when there is none.

        Raises:
            FileChanged: `if_etag` does not match any more.
            ProtectedPath, OutsideWorkspace, NotAFile, WorkspaceFull: See `files.errors`.
        """
        parts = parts_of(path)
        refuse_protected(parts)
        create = refuse_protected if create_dirs else None
        with self._root() as root, told(path):
            place = locate(root, parts, create=create)
            try:
                if place.name is None:
                    raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
                refuse_protected(place.parts)
                return self._put(place, place.name, data, if_etag)
            finally:
                place.close()

    def make_folder(self, path: str) -> None:
        """Makes the folder at `path`, with those above it; one that is there already is fine.

        Raises:
            NotAFolder: A file is in the way.
            ProtectedPath, OutsideWorkspace: See `files.errors`.
        """
        parts = parts_of(path)
        refuse_protected(parts)
        with self._root() as root, told(path):
            make_folders(root, parts, refuse_protected)

    def delete(self, path: str, *, recursive: bool = False) -> None:
        """Removes what is at `path`; of a link, the link.

        Args:
            path: What goes.
            recursive: Remove a folder with all that it holds; else it must be empty.

        Raises:
            FolderNotEmpty, FileNotFound, ProtectedPath, OutsideWorkspace: See `files.errors`.
        """
        parts = parts_of(path)
        with self._root() as root, told(path):
            place = locate(root, parts, follow=False)
            try:
                if place.name is None:
                    raise OutsideWorkspace("This folder itself cannot be removed.", param="path")
                refuse_protected(parts)
                refuse_protected(place.parts)
                _remove(place.folder, place.name, recursive=recursive)
            finally:
                place.close()

    def list(self, path: str = "", *, offset: int = 0, limit: int = 1_000) -> Listing:
        """The folder at `path`, sorted by name; only the page asked for is looked at closely.

        Names that are no valid Unicode cannot be asked for by any client and are left out.

        Raises:
            NotAFolder, FileNotFound, OutsideWorkspace: See `files.errors`.
        """
        parts = parts_of(path)
        with self._root() as root, told(path):
            folder = self._opener(root, parts, READ | os.O_DIRECTORY)
            try:
                names = names_in(folder)
                page = names[offset : offset + limit]
                found = (entry_of(folder, "/".join(parts), name) for name in page)
                entries: tuple[Entry, ...] = tuple(entry for entry in found if entry is not None)
            finally:
                os.close(folder)
        return Listing(entries=entries, total=len(names))

    def walk(
        self, path: str = "", *, include_ignored: bool = False, check: Check | None = None
    ) -> Iterator[str]:
        """Relative paths of the regular files beneath `path`, in order, `.gitignore` honoured.

        `.git` is never entered, linked folders neither; a linked file counts when it leads to a
        regular file inside. What vanishes meanwhile is passed over.

        Args:
            path: The folder to begin in.
            include_ignored: Take no notice of `.gitignore`.
            check: Called for every name, file or not; what it raises ends the walk.

        Raises:
            NotAFolder, FileNotFound, OutsideWorkspace: See `files.errors`.
        """
        parts = parts_of(path)
        with self._root() as root, told(path):
            yield from walk(root, parts, self._opener, include_ignored=include_ignored, check=check)

    @contextmanager
    def _root(self) -> Generator[int]:
        root = open_root(self.root)
        try:
            yield root
        finally:
            os.close(root)

    def _put(self, place: Place, name: str, data: bytes, if_etag: str | None) -> FileStat:
        path = "/".join(place.parts)
        with turn_of(place.folder, name):
            try:
                old = os.stat(name, dir_fd=place.folder, follow_symlinks=False)
            except FileNotFoundError:
                old = None
            if old is not None and stat.S_ISDIR(old.st_mode):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            if old is not None and not stat.S_ISREG(old.st_mode):
                raise NotAFile(f"{path} is not a regular file.", param="path")
            tag = ABSENT if old is None else stat_of(path, old).etag
            if if_etag is not None and if_etag != tag:
                raise FileChanged(f"{path} is not what it was.", param="path")
            return stat_of(path, put(place.folder, name, data, old, exclusive=if_etag == ABSENT))


def _remove(folder: int, name: str, *, recursive: bool) -> None:
    kind = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    if not stat.S_ISDIR(kind):
        os.unlink(name, dir_fd=folder)
    elif recursive:
        shutil.rmtree(name, dir_fd=folder)  # descends by descriptors, follows no link
    else:
        os.rmdir(name, dir_fd=folder)
