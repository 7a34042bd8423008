"""A repository that a command makes where there was none: kept, without anything that git obeys."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from homeport.sandbox import snapshot

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_HARMLESS = frozenset(
    {  # what `git init` writes into [core]
        "bare",
        "filemode",
        "ignorecase",
        "logallrefupdates",
        "precomposeunicode",
        "repositoryformatversion",
        "symlinks",
    }
)
_CONFIG_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Before:
    """What a workspace was to git before a command."""

    workspace: Path
    had_git: bool
    was_bare: bool

    def tame(self) -> list[str]:
        """Take from a new repository what would run code outside; returns those names."""
        root = os.open(self.workspace, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            broken = [] if self.had_git else _tame(root)
            if not self.was_bare and _is_bare(self.workspace):
                snapshot.remove(root, "HEAD")  # git reads a bare repository's config as well
                broken.append("HEAD")
        finally:
            os.close(root)
        return broken


def look(workspace: Path) -> Before:
    """Whether `workspace` is a repository."""
    return Before(workspace, os.path.lexists(workspace / ".git"), _is_bare(workspace))


def _is_bare(workspace: Path) -> bool:
    return (
        os.path.lexists(workspace / "HEAD")
        and (workspace / "objects").exists()
        and (workspace / "refs").exists()
    )


def _kind(parent: int, name: str) -> int:
    try:
        return stat.S_IFMT(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return 0


def _tame(root: int) -> list[str]:
    kind = _kind(root, ".git")
    if kind == 0:
        return []
    if kind != stat.S_IFDIR:
        snapshot.remove(root, ".git")
        return [".git"]
    git = os.open(".git", _DIRECTORY, dir_fd=root)
    try:
        broken = _tame_hooks(git)
        for name in ("commondir", "config.worktree"):
            if _kind(git, name):
                snapshot.remove(git, name)
                broken.append(f".git/{name}")
        return [*broken, *_tame_config(git)]
    finally:
        os.close(git)


def _tame_hooks(git: int) -> list[str]:
    kind = _kind(git, "hooks")
    if kind == 0:
        return []
    if kind != stat.S_IFDIR:
        snapshot.remove(git, "hooks")
        return [".git/hooks"]
    hooks = os.open("hooks", _DIRECTORY, dir_fd=git)
    try:
        obeyed = [name for name in os.listdir(hooks) if not name.endswith(".sample")]  # noqa: PTH208 - of a descriptor
        for name in obeyed:
            snapshot.remove(hooks, name)
    finally:
        os.close(hooks)
    return [".git/hooks"] if obeyed else []


def _tame_config(git: int) -> list[str]:
    kind = _kind(git, "config")
    if kind == 0:
        return []
    if kind == stat.S_IFREG:
        descriptor = os.open("config", os.O_RDONLY | os.O_NOFOLLOW, dir_fd=git)
        with os.fdopen(descriptor, "rb") as file:
            text = file.read(_CONFIG_BYTES).decode(errors="replace")
        kept = _harmless(text)
        if kept == text:
            return []
    else:
        kept = "[core]\n"
    snapshot.remove(git, "config")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open("config", flags, 0o644, dir_fd=git), "wb") as file:
        file.write(kept.encode())
    return [".git/config"]


def _harmless(text: str) -> str:
    """The lines of `text` that stand in [core] and are known; the continuation of none is kept."""
    kept: list[str] = []
    in_core = False
    for line in text.splitlines(keepends=True):
        stripped = line.strip()
        if stripped.startswith("["):
            in_core = stripped == "[core]"
            keep = in_core
        else:
            name, _, value = stripped.partition("=")
            keep = in_core and name.strip().lower() in _HARMLESS and value.strip().isalnum()
        if keep:
            kept.append(line)
    return "".join(kept)
