"""The private git directory that holds a workspace's checkpoints, outside of the workspace.

Nothing of the repository's own `.git` takes part: not its configuration (filters, fsmonitor,
hooks, signing), not its index, not its objects. So a hostile repository has nothing to say, the
agent cannot reach what undo relies on, and the user's `git gc` cannot take it away.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import sys
from pathlib import Path

from homeport.kernel.errors import Invalid

REFS = Path("refs/homeport")
LABEL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}(/[A-Za-z0-9_][A-Za-z0-9._-]{0,99}){0,3}")
FORGIVING = "true" if sys.platform == "darwin" else "false"
CONFIG = f"""[core]
	repositoryFormatVersion = 0
	bare = false
	fileMode = true
	ignoreCase = {FORGIVING}
	precomposeUnicode = {FORGIVING}
	logAllRefUpdates = false
	hooksPath = /dev/null
	fsmonitor = false
	untrackedCache = false
	attributesFile = /dev/null
	excludesFile = /dev/null
	autocrlf = false
	safecrlf = false
	quotePath = false
	compression = 1
	bigFileThreshold = 32m
[gc]
	auto = 0
	packRefs = false
	reflogExpire = now
[pack]
	threads = 1
	windowMemory = 64m
[index]
	threads = 1
[commit]
	gpgSign = false
[submodule]
	recurse = false
"""
# The highest place where attributes can be set (gitattributes(5)): bytes go in and out as they are,
# whatever a `.gitattributes` of the workspace says.
ATTRIBUTES = "* -text -eol -crlf -ident -filter -working-tree-encoding\n"


class BadLabel(Invalid):
    """A checkpoint's label becomes the name of a ref."""

    code = "undo.bad-label"
    title = "The checkpoint's label is not valid"


class Shadow:
    """The files of one private git directory; everything here is quick and synchronous.

    Args:
        store: Where the private directories of all workspaces lie.
        root: The workspace.
    """

    def __init__(self, store: Path, root: Path) -> None:
        self.path = store / hashlib.sha256(os.fsencode(root)).hexdigest()[:32]

    def prepare(self, exclude: str) -> None:
        """Makes the directory, or sets it right; `exclude` is what the repository's own says."""
        for folder in ("objects", "refs/homeport", "info"):
            (self.path / folder).mkdir(parents=True, exist_ok=True, mode=0o700)
        self._put("config", CONFIG)
        self._put("info/attributes", ATTRIBUTES)
        self._put("info/exclude", exclude)
        self._put("HEAD", "ref: refs/heads/none\n")

    def exists(self) -> bool:
        """Whether a checkpoint was ever prepared here."""
        return (self.path / "HEAD").exists()

    def find(self, label: str) -> str | None:
        """The commit that a label names."""
        try:
            return self._ref(label).read_text(encoding="ascii").strip()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def keep(self, label: str, commit: str) -> None:
        """Names a commit, whole or not at all."""
        reference = self._ref(label)
        reference.parent.mkdir(parents=True, exist_ok=True)
        self._put(str(reference.relative_to(self.path)), f"{commit}\n")

    def commits(self) -> list[tuple[Path, str]]:
        """Every kept commit with its ref, oldest first."""
        refs = [path for path in (self.path / REFS).rglob("*") if _is_ref(path)]
        refs.sort(key=lambda path: (path.stat().st_mtime_ns, path.name))
        return [(path, path.read_text(encoding="ascii").strip()) for path in refs]

    def forget(self, keep: int) -> int:
        """Drops all but the youngest `keep` refs and returns how many went."""
        dropped = [path for path, _ in self.commits()][:-keep]
        for path in dropped:
            path.unlink(missing_ok=True)
            folder = path.parent
            if folder.name != REFS.name and not any(folder.iterdir()):
                folder.rmdir()
        return len(dropped)

    def spare_index(self) -> Path:
        """Where an index of one's own may be made."""
        return self.path / f"index.{secrets.token_hex(8)}"

    def borrow_index(self) -> Path:
        """A copy of the index to work on, so that a killed git leaves no lock behind.

        The copy keeps its time: git rehashes entries that are as young as the index is.
        """
        source, copy = self.path / "index", self.spare_index()
        try:
            copy.write_bytes(source.read_bytes())
        except FileNotFoundError:
            return copy
        status = source.stat()
        os.utime(copy, ns=(status.st_atime_ns, status.st_mtime_ns))
        return copy

    def return_index(self, copy: Path) -> None:
        """Makes a copy that was worked on the index."""
        if copy.exists():
            copy.replace(self.path / "index")

    def drop_index(self, copy: Path) -> None:
        """Throws a copy away, with the lock that git may have left beside it."""
        copy.unlink(missing_ok=True)
        copy.with_name(f"{copy.name}.lock").unlink(missing_ok=True)

    def drop_cache(self) -> bool:
        """Throws the index away; the next snapshot reads everything anew. False: there was none."""
        try:
            (self.path / "index").unlink()
        except FileNotFoundError:
            return False
        return True

    def _ref(self, label: str) -> Path:
        if LABEL.fullmatch(label) is None or ".." in label or ".lock" in label:
            raise BadLabel("Labels are up to four words of A-Z a-z 0-9 . _ - joined by slashes.")
        return self.path / REFS / label

    def _put(self, name: str, text: str) -> None:
        target = self.path / name
        temporary = target.with_name(f"{target.name}.{secrets.token_hex(4)}.lock")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(target)


def _is_ref(path: Path) -> bool:
    return path.is_file() and path.suffix != ".lock"
