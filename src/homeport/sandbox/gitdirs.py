"""Where a workspace's git directory is, and which of its parts steer git outside the box."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_MOST_MODULES = 200
_POINTER_BYTES = 4096
_STEERING = ("config", "config.worktree", "hooks")


@dataclass(frozen=True, slots=True)
class GitDirectory:
    """What has to be done about one workspace's git directory.

    Attributes:
        pins: (relative path, read-only), outer ones first; all exist.
        unpinnable: Relative paths that steer git, and are absent or symbolic links.
        readable: Outside the workspace and part of its repository.
        writable: The parts of those that a commit writes.
        steering: Files in `writable` that stay read-only.
    """

    pins: tuple[tuple[str, bool], ...] = ()
    unpinnable: tuple[str, ...] = ()
    readable: tuple[Path, ...] = ()
    writable: tuple[Path, ...] = ()
    steering: tuple[Path, ...] = ()


def look(workspace: Path) -> GitDirectory:
    """Read `.git` of `workspace`, a directory or the pointer of a linked worktree or submodule."""
    git = workspace / ".git"
    if git.is_symlink():
        inside = _relative(git.resolve(), workspace)
        at_target = _directory(workspace, inside) if inside else GitDirectory()
        return GitDirectory(at_target.pins, (".git", *at_target.unpinnable))
    if git.is_dir():
        return _directory(workspace, ".git")
    if git.is_file():
        return _pointer(workspace, git)
    return GitDirectory()


def is_plain(workspace: Path) -> bool:
    """Whether `.git` is a directory of its own."""
    git = workspace / ".git"
    return git.is_dir() and not git.is_symlink()


def _directory(workspace: Path, relative: str) -> GitDirectory:
    place = workspace / relative
    if not place.is_dir():
        return GitDirectory()
    pins = [(relative, False)]
    unpinnable = [f"{relative}/commondir"]  # a file of that name moves git's config elsewhere
    for name in _STEERING:
        _sort(workspace, f"{relative}/{name}", pins, unpinnable)
    if (place / "worktrees").is_dir():
        pins.append((f"{relative}/worktrees", True))  # they steer git in other directories
    for module in _modules(place / "modules"):
        at = f"{relative}/{module.relative_to(place)}"
        unpinnable.append(f"{at}/commondir")
        for name in _STEERING:
            _sort(workspace, f"{at}/{name}", pins, unpinnable)
    return GitDirectory(tuple(pins), tuple(unpinnable))


def _sort(
    workspace: Path, relative: str, pins: list[tuple[str, bool]], unpinnable: list[str]
) -> None:
    place = workspace / relative
    if place.exists() and not place.is_symlink():
        pins.append((relative, True))
    else:
        unpinnable.append(relative)


def _modules(root: Path) -> list[Path]:
    if not root.is_dir() or root.is_symlink():
        return []
    found = [head.parent for head in root.glob("**/HEAD") if (head.parent / "objects").is_dir()]
    return sorted(found)[:_MOST_MODULES]


def _pointer(workspace: Path, git: Path) -> GitDirectory:
    with git.open("rb") as file:
        text = file.read(_POINTER_BYTES).decode(errors="replace")
    pinned = ((".git", True),)
    if not text.startswith("gitdir:"):
        return GitDirectory(pinned)
    target = (workspace / text.removeprefix("gitdir:").strip()).resolve()
    inside = _relative(target, workspace)
    if inside:
        at_target = _directory(workspace, inside)
        return GitDirectory((*pinned, *at_target.pins), at_target.unpinnable)
    if _points_back(target / "gitdir", git):
        return _linked(pinned, target)
    if _is_module_of(target, workspace):
        return GitDirectory(pinned, readable=(target,))
    return GitDirectory(pinned)  # it names a place that does not know this workspace: stays closed


def _linked(pinned: tuple[tuple[str, bool], ...], target: Path) -> GitDirectory:
    """A linked worktree: its own part may be written, and of the common part what commits write."""
    common = (target / _text(target / "commondir")).resolve()
    if not target.is_relative_to(common / "worktrees"):
        return GitDirectory(pinned)
    readable = (common,)
    if "worktreeconfig" in _text(common / "config").lower():
        return GitDirectory(pinned, readable=readable)  # its own part then holds a config, too
    parts = [target, *(common / name for name in ("objects", "refs", "logs"))]
    return GitDirectory(
        pinned,
        readable=readable,
        writable=tuple(p for p in parts if p.is_dir()),
        steering=(target / "commondir", target / "gitdir"),
    )


def _points_back(backlink: Path, git: Path) -> bool:
    text = _text(backlink)
    return bool(text) and Path(text).resolve() == git.resolve()


def _is_module_of(target: Path, workspace: Path) -> bool:
    for line in _text(target / "config").splitlines():
        name, _, value = line.partition("=")
        if name.strip().lower() == "worktree":
            return (target / value.strip()).resolve() == workspace.resolve()
    return False


def _text(place: Path) -> str:
    try:
        return place.read_text("utf-8", "replace").strip() if place.is_file() else ""
    except OSError:
        return ""


def _relative(target: Path, workspace: Path) -> str:
    root = workspace.resolve()
    return str(target.relative_to(root)) if target != root and target.is_relative_to(root) else ""
