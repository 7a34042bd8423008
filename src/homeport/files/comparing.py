"""Compares two trees: which files differ, and how."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Literal

from homeport.files.content import as_text
from homeport.files.errors import CheckpointFailed
from homeport.files.git import Git
from homeport.files.paths import shown

Status = Literal["added", "modified", "deleted"]
GITLINK = "160000"
STATUS: dict[str, Status] = {"A": "added", "D": "deleted"}
OPTIONS = ("-r", "-z", "--no-renames", "--no-ext-diff", "--no-textconv")


@dataclass(frozen=True, slots=True)
class Change:
    """One file that differs; line counts are None for binary content."""

    name: bytes
    status: Status
    added: int | None = None
    removed: int | None = None

    @property
    def path(self) -> str:
        """The name as text."""
        return shown(os.fsdecode(self.name))


@dataclass(frozen=True, slots=True)
class Diff:
    """The files that differ, and the unified diff as far as it was asked for."""

    files: tuple[Change, ...]
    patch: str
    truncated: bool


async def changes(git: Git, old: str, new: str, *, counts: bool = False) -> dict[bytes, Change]:
    """What leads from one tree to another, by name; nested repositories are passed over.

    Raises:
        CheckpointFailed: git failed.
    """
    if old == new:
        return {}
    form = ("--raw", "--numstat") if counts else ("--raw",)
    index = git.directory / "index"
    listing = await git.run("diff-tree", *OPTIONS, *form, old, new, "--", index=index)
    found: dict[bytes, Change] = {}
    fields = iter(listing.split(b"\0"))
    for line in fields:
        if line.startswith(b":"):
            old_mode, new_mode, _, _, letter = line[1:].decode().split(" ")
            name = next(fields)
            if GITLINK not in {old_mode, new_mode}:
                found[name] = Change(name, STATUS.get(letter, "modified"))
        elif line:
            added, removed, name = line.split(b"\t", 2)
            if name in found and added != b"-":
                found[name] = replace(found[name], added=int(added), removed=int(removed))
    return found


async def patch(git: Git, old: str, new: str, *, size: int) -> tuple[str, bool]:
    """The unified diff, at most `size` bytes of it, and whether that was not all.

    Raises:
        CheckpointFailed: git failed.
    """
    limits = replace(git.limits, output_bytes=2 * size)
    options = ("-p", "-r", "--no-renames", "--no-ext-diff", "--no-textconv", "--no-color")
    outcome = await git.execute(
        "diff-tree",
        *options,
        old,
        new,
        "--",
        index=git.directory / "index",
        stdin=b"",
        writes=False,
        limits=limits,
    )
    if outcome.exit_code != 0 and outcome.reason != "output":
        raise CheckpointFailed(f"git diff-tree: {as_text(outcome.output[-500:])}")
    return as_text(outcome.stdout[:size]), outcome.truncated or len(outcome.stdout) > size
