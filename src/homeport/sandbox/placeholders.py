"""Empty directories that hold the place of absent protected names while commands run.

Several commands may run in one workspace at once, so they are counted; the last one removes them.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

_MODE = 0o555
_MARK_NS = 1_000_000_000  # modified one second after the epoch: ours, also after a crash


@dataclass(frozen=True, slots=True)
class Held:
    """The names that are in place after a call.

    Attributes:
        failed: Absent names that could not be held.
        key: The workspace's device and inode: what is held also when its name has gone meanwhile.
    """

    failed: tuple[str, ...]
    key: tuple[int, int]


@dataclass(slots=True)
class _Workspace:
    commands: int = 0
    names: set[str] = field(default_factory=set[str])


class Placeholders:
    """The placeholders of one server, by workspace."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._workspaces: dict[tuple[int, int], _Workspace] = {}

    def hold(self, workspace: Path, names: Sequence[str]) -> Held:
        """Make a placeholder for each of `names` that is absent; pair it with `release`."""
        with self._lock:
            key = _key(workspace)
            entry = self._workspaces.setdefault(key, _Workspace())
            entry.commands += 1
            failed: list[str] = []
            for name in names:
                place = workspace / name
                if _is_ours(place):
                    entry.names.add(name)
                elif not os.path.lexists(place):
                    if _make(place):
                        entry.names.add(name)
                    else:
                        failed.append(name)
            return Held(tuple(failed), key)

    def release(self, workspace: Path, held: Held) -> None:
        """End one command's hold; the last one's removes what is still empty."""
        with self._lock:
            entry = self._workspaces[held.key]
            entry.commands -= 1
            if entry.commands:
                return
            del self._workspaces[held.key]
            for name in entry.names:
                if _is_ours(workspace / name):
                    (workspace / name).rmdir()


def _key(workspace: Path) -> tuple[int, int]:
    found = workspace.stat()
    return found.st_dev, found.st_ino


def _make(place: Path) -> bool:
    try:
        place.mkdir(_MODE)
        os.utime(place, ns=(_MARK_NS, _MARK_NS), follow_symlinks=False)
    except FileExistsError:
        return True
    except OSError:
        return False  # nobody can write there; the name is watched instead
    return True


def _is_ours(place: Path) -> bool:
    try:
        found = place.lstat()
        return found.st_mtime_ns == _MARK_NS and place.is_dir() and not any(place.iterdir())
    except OSError:
        return False
