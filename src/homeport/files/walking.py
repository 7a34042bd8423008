"""Walks a workspace by descriptors, folder by folder, leaving out what `.gitignore` says."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence

from homeport.files.containment import Opener, is_regular
from homeport.files.content import as_text
from homeport.files.entries import names_in
from homeport.files.ignore import Rules, ignored
from homeport.files.paths import MAX_PARTS

IGNORE_FILE = ".gitignore"
IGNORE_BYTES = 256 << 10
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
Layers = tuple[tuple[int, Rules], ...]
Check = Callable[[], None]
"""Called for every name that a walk comes by; what it raises ends the walk."""


def walk(
    root: int,
    parts: tuple[str, ...],
    opener: Opener,
    *,
    include_ignored: bool,
    check: Check | None = None,
) -> Iterator[str]:
    """Yields relative paths of regular files beneath `parts`, sorted folder by folder.

    Raises:
        OSError: `parts` itself cannot be opened as a folder.
    """
    start = opener(root, parts, FOLDER & ~os.O_NOFOLLOW)
    try:
        layers = () if include_ignored else _layers_above(root, parts, opener)
        search = _Walk(root, opener, check or _go_on, include_ignored=include_ignored)
        yield from search.folder(start, parts, layers)
    finally:
        os.close(start)


class _Walk:
    def __init__(self, root: int, opener: Opener, check: Check, *, include_ignored: bool) -> None:
        self._root = root
        self._opener = opener
        self._check = check
        self._include_ignored = include_ignored

    def folder(self, here: int, parts: tuple[str, ...], layers: Layers) -> Iterator[str]:
        if not self._include_ignored:
            layers = (*layers, *_layer(here, (IGNORE_FILE,), len(parts), self._opener))
        for name in names_in(here):
            self._check()
            mode = _mode(here, name)
            path = (*parts, name)
            is_folder = stat.S_ISDIR(mode)
            if layers and ignored(layers, path, is_folder=is_folder):
                continue
            if is_folder:
                yield from self._below(here, path, layers)
            elif stat.S_ISREG(mode) or (stat.S_ISLNK(mode) and self._leads_to_file(path)):
                yield "/".join(path)

    def _below(self, here: int, path: tuple[str, ...], layers: Layers) -> Iterator[str]:
        if path[-1] == ".git" or len(path) >= MAX_PARTS:
            return
        try:
            below = os.open(path[-1], FOLDER, dir_fd=here)
        except OSError:
            return  # vanished, swapped for something else, or not readable for us
        try:
            yield from self.folder(below, path, layers)
        finally:
            os.close(below)

    def _leads_to_file(self, path: tuple[str, ...]) -> bool:
        try:
            descriptor = self._opener(self._root, path, FILE)
        except OSError:
            return False  # dangling, or leads out
        try:
            return is_regular(descriptor)
        finally:
            os.close(descriptor)


def _go_on() -> None:
    """The check of a walk that may take as long as it takes."""


def _mode(folder: int, name: str) -> int:
    """What `name` is; 0, which is nothing, when it vanished."""
    try:
        return os.lstat(name, dir_fd=folder).st_mode
    except FileNotFoundError:
        return 0


def _layers_above(root: int, parts: tuple[str, ...], opener: Opener) -> Layers:
    layers = _layer(root, (".git", "info", "exclude"), 0, opener)
    for depth in range(len(parts)):
        layers = (*layers, *_layer(root, (*parts[:depth], IGNORE_FILE), depth, opener))
    return layers


def _layer(folder: int, path: Sequence[str], depth: int, opener: Opener) -> Layers:
    """The rules of one ignore file; none when it is absent, no regular file, or leads out."""
    try:
        descriptor = opener(folder, tuple(path), FILE)
    except OSError:
        return ()
    with os.fdopen(descriptor, "rb") as file:
        if not is_regular(descriptor):
            return ()
        return ((depth, Rules(as_text(file.read(IGNORE_BYTES)))),)
