"""Records the state of a workspace as a git tree, without touching the workspace."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from pathlib import Path

from homeport.files.containment import locate, open_root
from homeport.files.errors import CheckpointFailed
from homeport.files.git import Git
from homeport.files.shadow import Shadow


async def take(git: Git, shadow: Shadow) -> str:
    """The tree of what is in the workspace now: not ignored, or tracked by the user's own index.

    Nested repositories are left alone, and so is what the server may not read. The index of the
    last snapshot makes this one quick; one that turns out to be unusable is made anew.

    Raises:
        CheckpointFailed: git failed, also from an empty index.
    """
    try:
        return await _take(git, shadow)
    except CheckpointFailed:
        if not shadow.drop_cache():
            raise
    return await _take(git, shadow)


async def _take(git: Git, shadow: Shadow) -> str:
    index = shadow.borrow_index()
    try:
        stale, fresh = await _changes(git, index)
        if stale:
            arguments = ("update-index", "-z", "--force-remove", "--stdin")
            await git.run(*arguments, index=index, stdin=_joined(stale))
        if fresh:
            arguments = ("update-index", "-z", "--add", "--remove", "--replace", "--stdin")
            await git.run(*arguments, index=index, stdin=_joined(fresh))
        tree = (await git.run("write-tree", index=index)).decode().strip()
        shadow.return_index(index)
    finally:
        shadow.drop_index(index)
    return tree


async def _changes(git: Git, index: Path) -> tuple[list[bytes], list[bytes]]:
    """Names to take out of the index, and names to look at again."""
    options = ("ls-files", "-z", "-t", "--others", "--modified", "--exclude-standard")
    listing = await git.run(*options, index=index)
    changed: dict[bytes, None] = {}
    others: dict[bytes, None] = {}
    for line in _names(listing):
        name = line[2:]
        if not name.endswith(b"/"):  # a nested repository
            (others if line.startswith(b"?") else changed)[name] = None
    forced = await _tracked_though_ignored(git)
    return await asyncio.to_thread(_sorted_out, git.root, changed, {*others, *forced})


async def _tracked_though_ignored(git: Git) -> list[bytes]:
    """What the user added by force. An index that git cannot read says nothing about that."""
    theirs = git.root / ".git" / "index"
    if not theirs.is_file() or theirs.is_symlink():
        return []
    options = ("ls-files", "-z", "--cached", "--ignored", "--exclude-standard")
    try:
        return _names(await git.run(*options, index=theirs))
    except CheckpointFailed:
        return []


def _sorted_out(
    root: Path, changed: Iterable[bytes], others: Iterable[bytes]
) -> tuple[list[bytes], list[bytes]]:
    descriptor = open_root(root)
    try:
        stale = [name for name in changed if _is_beyond_a_link(descriptor, name)]
        candidates = {*changed, *others} - set(stale)
        fresh = sorted(name for name in candidates if _can_be_added(descriptor, name))
    finally:
        os.close(descriptor)
    return stale, fresh


def _is_beyond_a_link(root: int, name: bytes) -> bool:
    """Whether a folder on the way became a symbolic link: git refuses to look there."""
    parts = tuple(os.fsdecode(name).split("/"))
    try:
        place = locate(root, parts, follow=False)
    except OSError:
        return True
    place.close()
    return place.parts != parts


def _can_be_added(root: int, name: bytes) -> bool:
    """Readable, or gone: one file that is neither would make git give up on all."""
    try:
        os.stat(name, dir_fd=root, follow_symlinks=False)
    except OSError:
        return True
    return os.access(name, os.R_OK, dir_fd=root, follow_symlinks=False)


def _names(listing: bytes) -> list[bytes]:
    return [name for name in listing.split(b"\0") if name]


def _joined(names: Iterable[bytes]) -> bytes:
    return b"".join(name + b"\0" for name in names)
