"""Puts files back to what a tree says, and takes away those it does not have."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from homeport.files.comparing import Change
from homeport.files.containment import locate, open_root
from homeport.files.git import Git
from homeport.files.shadow import Shadow

IGNORE_FILE = b".gitignore"


@dataclass(frozen=True, slots=True)
class Restored:
    """What was done to which files; `kept` are those left where they are, because ignored."""

    restored: tuple[bytes, ...]
    removed: tuple[bytes, ...]
    kept: tuple[bytes, ...]


async def restore(git: Git, shadow: Shadow, tree: str, targets: Sequence[Change]) -> Restored:
    """Brings `targets` (changes since `tree`) back to what they were in it.

    `.gitignore` files come first: whether a file that `tree` does not have may go is judged by the
    rules of that time, so that a file which was ignored then, and therefore never recorded, stays.

    Raises:
        CheckpointFailed: git failed; what was done so far stays done.
    """
    index = shadow.spare_index()
    try:
        await git.run("read-tree", tree, index=index)
        rules = [change for change in targets if _is_rule(change.name)]
        others = [change for change in targets if not _is_rule(change.name)]
        first = await _apply(git, index, rules, ignored=set())
        created = [change.name for change in others if change.status == "added"]
        then = await _apply(git, index, others, ignored=await _ignored(git, index, created))
    finally:
        shadow.drop_index(index)
    return Restored(
        first.restored + then.restored, first.removed + then.removed, first.kept + then.kept
    )


async def _apply(
    git: Git, index: Path, targets: Sequence[Change], *, ignored: set[bytes]
) -> Restored:
    created = [change.name for change in targets if change.status == "added"]
    back = [change.name for change in targets if change.status != "added"]
    going = [name for name in created if name not in ignored]
    await asyncio.to_thread(_remove_all, git.root, going)
    blocked = await asyncio.to_thread(_folders_among, git.root, back)
    back = [name for name in back if name not in blocked]
    if back:
        names = b"".join(name + b"\0" for name in back)
        options = ("checkout-index", "-f", "-q", "-z", "--stdin")
        await git.run(*options, index=index, stdin=names, writes=True)
    return Restored(tuple(back), tuple(going), tuple(sorted(ignored | blocked)))


async def _ignored(git: Git, index: Path, names: Sequence[bytes]) -> set[bytes]:
    """Those of `names`, files that the index does not have, that the rules of now call ignored."""
    if not names:
        return set()
    options = ("ls-files", "-z", "--others", "--exclude-standard")
    listing = await git.run(*options, index=index)
    return set(names).difference(listing.split(b"\0"))


def _is_rule(name: bytes) -> bool:
    return name.rpartition(b"/")[2] == IGNORE_FILE


def _remove_all(root: Path, names: Iterable[bytes]) -> None:
    descriptor = open_root(root)
    try:
        for name in names:
            _remove(descriptor, tuple(os.fsdecode(name).split("/")))
    finally:
        os.close(descriptor)


def _remove(root: int, parts: tuple[str, ...]) -> None:
    """Removes a file or link, then the folders above it that are empty now."""
    try:
        place = locate(root, parts, follow=False)
    except (FileNotFoundError, NotADirectoryError):
        return  # gone already
    try:
        if place.parts == parts and place.name is not None:
            with suppress(FileNotFoundError, IsADirectoryError):
                os.unlink(place.name, dir_fd=place.folder)
    finally:
        place.close()
    for depth in range(len(parts) - 1, 0, -1):
        if not _remove_if_empty(root, parts[:depth]):
            return


def _remove_if_empty(root: int, parts: tuple[str, ...]) -> bool:
    place = locate(root, parts, follow=False)
    try:
        if place.parts != parts or place.name is None:
            return False
        os.rmdir(place.name, dir_fd=place.folder)
    except OSError as error:
        if error.errno in {errno.ENOTEMPTY, errno.ENOTDIR, errno.ENOENT, errno.EBUSY}:
            return False
        raise
    finally:
        place.close()
    return True


def _folders_among(root: Path, names: Iterable[bytes]) -> set[bytes]:
    """Names where a folder is now, with something in it that is not ours to remove."""
    descriptor = open_root(root)
    found: set[bytes] = set()
    try:
        for name in names:
            with suppress(OSError):
                status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode):
                    found.add(name)
    finally:
        os.close(descriptor)
    return found
