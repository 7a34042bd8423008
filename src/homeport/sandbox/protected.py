"""The names in a workspace that a command may not write, since programs outside the box obey them.

A full box pins them: a present name is bound over itself read-only, an absent one is held by an
empty directory for as long as commands run (git does not see those). What cannot be pinned there,
and everything on the Landlock rung, is compared and put back when the command has ended.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from homeport.sandbox import gitdirs, newrepository
from homeport.sandbox.placeholders import Held, Placeholders
from homeport.sandbox.snapshot import Snapshot

NAMES = (
    ".bash_login",
    ".bash_logout",
    ".bash_profile",
    ".bashrc",
    ".claude",
    ".cursor",
    ".gitconfig",
    ".idea",
    ".mcp.json",
    ".profile",
    ".ripgreprc",
    ".vscode",
    ".zlogin",
    ".zlogout",
    ".zprofile",
    ".zshenv",
    ".zshrc",
)


@dataclass(frozen=True, slots=True)
class Guard:
    """One command's hold on the protected names of its workspace.

    Attributes:
        pins: (relative path, read-only) to be bound over themselves, outer ones first.
        readable: A git directory outside the workspace that belongs to it.
        writable: Its parts that a commit writes.
        steering: Files in `writable` that stay read-only.
    """

    workspace: Path
    pins: tuple[tuple[str, bool], ...]
    readable: tuple[Path, ...]
    writable: tuple[Path, ...]
    steering: tuple[Path, ...]
    _held: tuple[Placeholders, Held] | None
    _watched: Snapshot
    _repository: newrepository.Before

    @property
    def names(self) -> tuple[str, ...]:
        """The names that are compared afterwards."""
        return tuple(name for name, _ in self._watched.entries)

    def release(self) -> tuple[str, ...]:
        """Put back what the command has changed; returns those names. Reads and writes the disk.

        Of a workspace that is gone nothing is left to be put back.
        """
        broken: list[str] = []
        if self.workspace.is_dir():  # it may have been deleted while the command ran
            broken = [*self._watched.restore(), *self._repository.tame()]
        if self._held is not None:
            placeholders, held = self._held
            placeholders.release(self.workspace, held)
        return tuple(sorted(set(broken)))


def pin(workspace: Path, placeholders: Placeholders) -> Guard:
    """Protect by mounts; the caller makes them. Reads and writes the disk."""
    before = newrepository.look(workspace)
    git = gitdirs.look(workspace)
    names = (*NAMES, ".git/hooks") if gitdirs.is_plain(workspace) else NAMES
    held = placeholders.hold(workspace, names)
    watched = {*git.unpinnable, *held.failed}
    pins = list(git.pins)
    for name in names:
        if (workspace / name).is_symlink():
            watched.add(name)
        elif name not in held.failed:
            pins.append((name, True))
    snapshot = Snapshot.take(workspace, sorted(watched))
    return Guard(
        workspace,
        tuple(pins),
        git.readable,
        git.writable,
        git.steering,
        (placeholders, held),
        snapshot,
        before,
    )


def watch(workspace: Path) -> Guard:
    """Protect by comparing afterwards. Reads the disk.

    Raises:
        CommandRefused: The protected names hold too much to be remembered.
    """
    before = newrepository.look(workspace)
    git = gitdirs.look(workspace)
    names = {*NAMES, *git.unpinnable, *(name for name, read_only in git.pins if read_only)}
    readable = (*git.readable, *git.writable)
    snapshot = Snapshot.take(workspace, sorted(names))
    return Guard(workspace, (), readable, (), (), None, snapshot, before)
