"""Finds files by name and by content."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass

from homeport.files.content import HEAD, looks_binary
from homeport.files.errors import (
    FileNotFound,
    NotAFile,
    NotPermitted,
    OutsideWorkspace,
    SearchEnded,
)
from homeport.files.globs import compile_glob
from homeport.files.matching import Matcher
from homeport.files.workspace import Check, Workspace
from homeport.kernel import clock

SEARCHED_BYTES = 8 << 20
"""Longer files are not searched: generated, or data."""
BATCH_FILES, BATCH_BYTES = 64, 1 << 20


@dataclass(frozen=True, slots=True)
class Query:
    """What to look for in the files of a workspace.

    Args:
        pattern: A Python regular expression, matched line by line.
        path: The folder, or the one file, to look in.
        glob: Only files whose path fits.
        ignore_case: Upper and lower case alike.
        before: Lines to show before a hit.
        after: Lines to show after a hit.
        per_file: Hits per file at most.
        seconds: Wall clock for the whole search.
    """

    pattern: str
    path: str = ""
    glob: str | None = None
    ignore_case: bool = False
    before: int = 0
    after: int = 0
    per_file: int = 1_000
    seconds: float = 20.0


@dataclass(frozen=True, slots=True)
class Found:
    """One line that fits, with its surroundings; `line` counts from 1."""

    path: str
    line: int
    text: str
    before: tuple[str, ...]
    after: tuple[str, ...]


def bounded(seconds: float, stopped: Callable[[], bool]) -> Check:
    """A check for a walk that may take `seconds` on the clock, or less once `stopped` says so.

    The check raises `SearchEnded`.
    """
    deadline = clock.monotonic() + seconds

    def check() -> None:
        if stopped() or clock.monotonic() > deadline:
            raise SearchEnded(
                f"The search was ended after {seconds:g} s; give a narrower path.", param="path"
            )

    return check


def glob(
    workspace: Workspace, pattern: str, *, path: str = "", check: Check | None = None
) -> Iterator[str]:
    """Files beneath `path` that fit a glob (relative to `path`), in order; see `compile_glob`.

    Args:
        workspace: Where.
        pattern: The glob.
        path: The folder to look in.
        check: See `Workspace.walk`.

    Raises:
        BadPattern: The pattern cannot be used.
        NotAFolder, FileNotFound, OutsideWorkspace: `path` is none.
    """
    expression = compile_glob(pattern)
    prefix = path.strip("/")
    skip = len(prefix) + 1 if prefix not in {"", "."} else 0
    for found in workspace.walk(path, check=check):
        if expression.match(found[skip:]):
            yield found


def search(
    workspace: Workspace, query: Query, *, stopped: Callable[[], bool] = lambda: False
) -> Generator[Found]:
    """Lines that fit, file by file in order; binary and very long files are passed over.

    The matching runs in a process of its own: a hostile pattern costs that process its life, not
    the server its event loop.

    Args:
        workspace: Where.
        query: What.
        stopped: Asked before every file and folder; once it says so the search ends.

    Raises:
        BadPattern: The regular expression or the glob cannot be used.
        SearchEnded: The time was used up; what was found before was yielded.
        PatternTooSlow: The same, or the memory was used up, by the pattern.
        FileNotFound, OutsideWorkspace: `path` is none.
    """
    files = _files(workspace, query, bounded(query.seconds, stopped))
    with Matcher(
        query.pattern,
        ignore_case=query.ignore_case,
        before=query.before,
        after=query.after,
        per_file=query.per_file,
        seconds=query.seconds,
    ) as matcher:
        for batch in _batches(workspace, files):
            for index, hit in matcher.hits([data for _, data in batch]):
                yield Found(batch[index][0], hit.line, hit.text, hit.before, hit.after)


def _files(workspace: Workspace, query: Query, check: Check) -> Iterator[str]:
    if query.path and workspace.stat(query.path).kind == "file":
        return iter((query.path,))
    if query.glob is None:
        return workspace.walk(query.path, check=check)
    return glob(workspace, query.glob, path=query.path, check=check)


def _batches(workspace: Workspace, files: Iterable[str]) -> Iterator[list[tuple[str, bytes]]]:
    """Files that can be searched, with what they hold, some at once; the first comes by itself."""
    batch: list[tuple[str, bytes]] = []
    size, most = 0, 1
    for path in files:
        data = _searchable(workspace, path)
        if data is None:
            continue
        batch.append((path, data))
        size += len(data)
        if len(batch) >= most or size >= BATCH_BYTES:
            yield batch
            batch, size, most = [], 0, min(2 * most, BATCH_FILES)
    yield batch


def _searchable(workspace: Workspace, path: str) -> bytes | None:
    try:
        with workspace.open(path) as file:
            data = file.read(HEAD)
            if looks_binary(data):
                return None
            data += file.read(SEARCHED_BYTES + 1 - len(data))
    except (FileNotFound, NotAFile, NotPermitted, OutsideWorkspace):
        return None  # it changed since the walk saw it, or the server may not read it
    return data if len(data) <= SEARCHED_BYTES else None
