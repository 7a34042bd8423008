"""Opens paths beneath a directory and nowhere else, however the tree changes meanwhile.

Two implementations of one promise: the kernel's (`openat2` with RESOLVE_BENEATH, Linux 5.6+), and a
walk from descriptor to descriptor that never lets the kernel follow a link (everywhere else).
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

from homeport.files.errors import WorkspaceMissing
from homeport.files.paths import MAX_PARTS

SYS_OPENAT2 = 437  # the same number on every architecture that Python has wheels for
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_BENEATH = 0x08
# A directory to pass through needs search permission only; O_PATH asks for no more (Linux).
FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
MAX_LINKS = 40  # what Linux allows in one resolution (path_resolution(7))
ATTEMPTS = 64


class Opener(Protocol):
    """Opens `parts` beneath the directory `root`.

    Raises:
        OSError: EXDEV when the path leads out; otherwise what open(2) says.
    """

    def __call__(self, root: int, parts: tuple[str, ...], flags: int) -> int:
        """Opens; the caller closes the descriptor."""
        ...


def kernel_open(root: int, parts: tuple[str, ...], flags: int) -> int:
    """Opens through openat2(2).

    A rename elsewhere makes the kernel answer EAGAIN for paths with `..`, because it can no longer
    vouch for them; the call is then repeated a bounded number of times.
    """
    how = (ctypes.c_uint64 * 3)(flags | os.O_CLOEXEC, 0, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS)
    path = os.fsencode("/".join(parts) or ".")
    code = 0
    for _ in range(ATTEMPTS):
        descriptor = _libc().syscall(
            ctypes.c_long(SYS_OPENAT2), ctypes.c_int(root), path, how, ctypes.c_size_t(24)
        )
        if descriptor >= 0:
            return int(descriptor)
        code = ctypes.get_errno()
        if code not in {errno.EAGAIN, errno.EINTR}:
            break
    raise OSError(code, os.strerror(code), "/".join(parts))


def stepwise_open(root: int, parts: tuple[str, ...], flags: int) -> int:
    """Opens by walking: each step is relative to a descriptor and follows no link by itself."""
    place = locate(root, parts)
    try:
        if place.name is None:
            return os.open(".", flags | os.O_CLOEXEC, dir_fd=place.folder)
        return os.open(place.name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=place.folder)
    finally:
        place.close()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a path really leads: an open directory, and a name in it that is no symbolic link.

    `name` is None when the path is a directory that was entered already (the root, or after `..`).
    `parts` is the physical path from the root, links resolved.
    """

    folder: int
    name: str | None
    parts: tuple[str, ...]

    def close(self) -> None:
        """Closes the directory."""
        os.close(self.folder)


Allow = Callable[[tuple[str, ...]], None]


def locate(
    root: int, parts: tuple[str, ...], *, create: Allow | None = None, follow: bool = True
) -> Place:
    """Walks to the directory that holds `parts`' last name; the name itself need not exist.

    `..` goes back to the directory the walk came from, which it still holds open, so a directory
    that is moved away meanwhile cannot lead it out.

    Args:
        root: Descriptor of the directory to stay beneath.
        parts: The path.
        create: Make missing directories on the way (also behind a dangling link), each after it
            was called with the physical path of the one to be made; what it raises refuses.
        follow: Resolve a link that is the last part; else it is the place itself.

    Raises:
        OSError: EXDEV when the path leads out, ELOOP, ENOENT, ENOTDIR, ...
    """
    walk = _Walk(root, create=create)
    try:
        return walk.to(parts, follow=follow)
    except BaseException:
        walk.close()
        raise


def make_folders(root: int, parts: tuple[str, ...], allow: Allow) -> None:
    """Makes the directory `parts` with those above it; what is there already is fine.

    Raises:
        OSError: EXDEV when the path leads out, ENOTDIR when a file is in the way, ...
    """
    walk = _Walk(root, create=allow)
    try:
        walk.to(parts, follow=True, enter=True).close()
    except BaseException:
        walk.close()
        raise


class _Walk:
    """The chain of open directories from the root to where the walk stands."""

    def __init__(self, root: int, *, create: Allow | None) -> None:
        self._chain = [os.dup(root)]
        self._names: list[str] = []
        self._create = create
        self._links = 0

    def to(self, parts: tuple[str, ...], *, follow: bool, enter: bool = False) -> Place:
        ahead = deque(parts)
        while ahead:
            part = ahead.popleft()
            if part == "..":
                self._up()
                continue
            target = self._link(part) if ahead or follow else None
            if target is not None:
                ahead.extendleft(reversed(target))
            elif ahead or enter:
                self._down(part)
            else:
                return self._place(part)
        return self._place(None)

    def _up(self) -> None:
        if not self._names:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        os.close(self._chain.pop())
        self._names.pop()

    def _down(self, part: str) -> None:
        here = self._chain[-1]
        try:
            below = os.open(part, FOLDER, dir_fd=here)
        except FileNotFoundError:
            if self._create is None:
                raise
            self._create((*self._names, part))
            _make_folder(part, here)
            below = os.open(part, FOLDER, dir_fd=here)
        self._chain.append(below)
        self._names.append(part)
        if len(self._chain) > MAX_PARTS:
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))

    def _link(self, part: str) -> list[str] | None:
        """The parts that a symbolic link stands for; None when `part` is no link."""
        try:
            target = os.readlink(part, dir_fd=self._chain[-1])
        except OSError as error:
            if error.errno in {errno.EINVAL, errno.ENOENT}:
                return None
            raise
        self._links += 1
        if self._links > MAX_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        if target.startswith("/"):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        return [step for step in target.split("/") if step not in {"", "."}]

    def _place(self, name: str | None) -> Place:
        folder = self._chain.pop()
        self.close()
        tail = () if name is None else (name,)
        return Place(folder, name, (*self._names, *tail))

    def close(self) -> None:
        while self._chain:
            os.close(self._chain.pop())


def _make_folder(name: str, parent: int) -> None:
    try:
        os.mkdir(name, dir_fd=parent)
    except FileExistsError:
        return  # somebody was faster; whether it is a directory, the open after this tells


def open_root(root: Path) -> int:
    """Opens a workspace's directory, refusing a symbolic link anywhere on the way to it.

    A project's path is stored resolved; a link in it now was put there since.

    Raises:
        WorkspaceMissing: It is not there, or no longer the directory that was opened as a project.
    """
    here = os.open("/", FOLDER)
    try:
        for part in root.parts[1:]:
            below = os.open(part, FOLDER, dir_fd=here)
            os.close(here)
            here = below
    except OSError as error:
        os.close(here)
        detail = "The project's directory is not there: it was deleted, moved or not mounted."
        raise WorkspaceMissing(detail) from error
    return here


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


@cache
def best_opener() -> Opener:
    """The kernel's own containment where it answers, the walk where it does not.

    Old kernels answer ENOSYS and some container filters EPERM; both mean: not here.
    """
    if not sys.platform.startswith("linux"):
        return stepwise_open
    probe = os.open("/", FOLDER)
    try:
        os.close(kernel_open(probe, (), FOLDER))
    except OSError:
        return stepwise_open
    finally:
        os.close(probe)
    return kernel_open


def is_regular(descriptor: int) -> bool:
    """Whether an open descriptor is a regular file."""
    return stat.S_ISREG(os.fstat(descriptor).st_mode)
