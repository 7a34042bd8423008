"""Where workspaces lie, and which directories may become one. Everything here blocks."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from homeport.identity.access import Caller
from homeport.identity.roles import SERVER_MANAGE
from homeport.projects.errors import PathMissing, PathRefused

PERSONAL = "personal"
PSEUDO = (Path("/proc"), Path("/sys"), Path("/dev"))
"""What is in them is the kernel's: no files, and tomorrow another process's."""


@dataclass(frozen=True, slots=True)
class Places:
    """The operator's word on directories.

    Args:
        workspace_dir: Where workspaces are made, as `<user>/<project>`.
        roots: Directories under which a project may be opened by its path.
        closed: The server's own files and directories, which no workspace may hold or lie in.
        development: An administrator may open any directory of the server's own user.
    """

    workspace_dir: Path
    roots: tuple[Path, ...] = ()
    closed: tuple[Path, ...] = ()
    development: bool = False

    def make(self, user_id: str, name: str) -> Path:
        """Makes an empty workspace and returns its resolved path; one that is there is kept.

        Args:
            user_id: The owner.
            name: The project's id, or `PERSONAL`.
        """
        place = self.made(user_id, name)
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        return place.resolve(strict=True)

    def discard(self, place: Path) -> None:
        """Takes back a workspace that nobody has put anything into."""
        with suppress(OSError):  # not empty, or gone: either way nothing of ours to remove
            place.rmdir()

    def made(self, user_id: str, name: str) -> Path:
        """Where `make` has made that workspace, or would have."""
        return self.workspace_dir / user_id / name

    def admit(self, path: str, caller: Caller, *, param: str = "path") -> Path:
        """The resolved directory behind a path that a client named.

        What lies outside the roots is refused before it is looked at, so that nobody learns what
        exists there.

        Raises:
            PathRefused: It may not be opened by this caller, overlaps what is the server's, or is
                the inside of a git repository, whose files make git run commands.
            PathMissing: It is no directory.
        """
        if not path.startswith("/"):
            raise PathRefused("A path on the server is absolute.", param=param)
        try:
            place = Path(os.path.realpath(path))
        except OSError:
            raise PathMissing(param=param) from None
        privileged = self.development and SERVER_MANAGE in caller.permissions
        listed = any(place.is_relative_to(root) for root in _resolved(self.roots))
        if not (listed or privileged):
            detail = "The path must lie under one of the server's WORKSPACE_ROOTS."
            raise PathRefused(detail, param=param)
        if self._is_ours(place):
            detail = (
                "The path overlaps what is the server's own (its data, its code, its Python, its "
                "file of settings, /etc), or is a whole home directory."
            )
            raise PathRefused(detail, param=param)
        try:
            found = place.stat()
        except OSError:
            raise PathMissing(param=param) from None
        if not stat.S_ISDIR(found.st_mode):
            raise PathMissing(param=param)
        if not listed and found.st_uid != os.geteuid():
            raise PathRefused("The directory belongs to another user.", param=param)
        if any(place.is_relative_to(one) for one in PSEUDO):
            raise PathRefused("The path holds no files of anybody's.", param=param)
        if any(_is_git_directory(one) for one in (place, *place.parents)):
            detail = "The path is the inside of a git repository; open its working tree."
            raise PathRefused(detail, param=param)
        return place

    def _is_ours(self, place: Path) -> bool:
        """Whether a directory holds, or lies in, something that no client may open by its path.

        These are the server's secrets, other people's workspaces, and the whole of a home.
        """
        kept = _resolved((*self.closed, self.workspace_dir))
        if any(place.is_relative_to(one) or one.is_relative_to(place) for one in kept):
            return True
        return place == Path.home().resolve()


def _resolved(folders: tuple[Path, ...]) -> list[Path]:
    return [Path(os.path.realpath(folder)) for folder in folders]


def _is_git_directory(folder: Path) -> bool:
    """Whether git reads hooks and settings from right there: `.git`, or a bare repository."""
    if folder.name == ".git":
        return True
    return all(os.path.lexists(folder / name) for name in ("HEAD", "objects", "refs"))
