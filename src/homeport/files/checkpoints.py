"""Checkpoints of a git workspace: made before each turn, compared, undone.

The user's HEAD, index and ignored files stay as they are.
"""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakValueDictionary

from homeport.files.comparing import Change, Diff, changes, patch
from homeport.files.containment import open_root
from homeport.files.content import as_text
from homeport.files.errors import (
    CheckpointGone,
    FileNotFound,
    NotAFile,
    NotAFolder,
    OutsideWorkspace,
    UndoConflict,
)
from homeport.files.git import Git
from homeport.files.paths import shown
from homeport.files.shadow import Shadow
from homeport.files.snapshot import take
from homeport.files.undoing import restore
from homeport.files.workspace import Workspace
from homeport.kernel.ids import new_id
from homeport.sandbox.port import Sandbox

KEPT = 200
SLACK = 20
"""So many more are let grow before the oldest are dropped, as that costs a `git gc`."""
PATCH_BYTES = 256 << 10
EXCLUDE_BYTES = 256 << 10
CONFLICTS_NAMED = 100


@dataclass(frozen=True, slots=True)
class Undone:
    """What an undo did, in workspace-relative paths.

    `before` is the checkpoint of the state that was undone; `kept` are files that were not recorded
    at the time because they were ignored, so they were left where they are.
    """

    restored: tuple[str, ...]
    removed: tuple[str, ...]
    kept: tuple[str, ...]
    before: str


def is_git(workspace: Workspace) -> bool:
    """Whether the workspace is the top of a git repository, worktree or submodule.

    Raises:
        WorkspaceMissing: Its directory is gone.
    """
    root = open_root(workspace.root)
    try:
        kind = os.stat(".git", dir_fd=root, follow_symlinks=False).st_mode
        if stat.S_ISDIR(kind):
            kind = os.stat(".git/HEAD", dir_fd=root, follow_symlinks=False).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    else:
        return stat.S_ISREG(kind)
    finally:
        os.close(root)


class Checkpoints:
    """Makes and undoes checkpoints.

    Args:
        sandbox: Where git runs.
        store: Directory of the private git directories: out of every workspace's reach, and on the
            workspaces' volume when several nodes share it.
        kept: How many checkpoints stay per workspace.
    """

    def __init__(self, sandbox: Sandbox, store: Path, *, kept: int = KEPT) -> None:
        self._sandbox = sandbox
        self._store = store
        self._kept = kept
        self._turns: WeakValueDictionary[Path, asyncio.Lock] = WeakValueDictionary()

    async def create(self, workspace: Workspace, *, label: str) -> str | None:
        """Records the workspace as it is and returns the checkpoint's id, a commit.

        A label that has a checkpoint keeps it: a turn that is started again after a crash has its
        first state to go back to.

        Args:
            workspace: Whose files.
            label: `<run>/<turn>`, or any name that is a good ref below `refs/homeport/`.

        Returns:
            None when the workspace is no git workspace.

        Raises:
            CheckpointFailed: git could not do it; nothing was changed.
        """
        if not await asyncio.to_thread(is_git, workspace):
            return None
        async with self._turn(workspace):
            git, shadow = await self._open(workspace)
            known = shadow.find(label)
            if known is not None:
                return known
            return await self._keep(git, shadow, await take(git, shadow), label)

    async def undo(
        self,
        workspace: Workspace,
        *,
        checkpoint: str,
        after: str | None = None,
        force: bool = False,
    ) -> Undone:
        """Restores the files that changed since `checkpoint` and removes those made since.

        With `after`, the checkpoint at the end of the run, only what changed between the two is
        undone: what people changed elsewhere since then stays.

        Args:
            workspace: Whose files.
            checkpoint: The state to go back to.
            after: The state when the run ended.
            force: Also undo files that changed after `after`; their state is in `Undone.before`.

        Raises:
            UndoConflict: Such files exist; nothing was changed.
            CheckpointGone: A checkpoint is no longer kept.
            CheckpointFailed: git failed.
        """
        async with self._turn(workspace):
            git, shadow = await self._open(workspace)
            self._require(shadow, checkpoint, *((after,) if after else ()))
            now = await take(git, shadow)
            targets = await changes(git, checkpoint, now)
            if after is not None:
                ours = await changes(git, checkpoint, after)
                later = await changes(git, after, now)
                targets = {name: change for name, change in targets.items() if name in ours}
                if not force:
                    _refuse_conflicts([name for name in targets if name in later])
            before = await self._keep(git, shadow, now, f"undo/{new_id()}")
            done = await restore(git, shadow, checkpoint, list(targets.values()))
        return Undone(_shown(done.restored), _shown(done.removed), _shown(done.kept), before)

    async def diff(
        self,
        workspace: Workspace,
        *,
        old: str,
        new: str | None = None,
        patch_bytes: int = PATCH_BYTES,
    ) -> Diff:
        """What changed from `old` to `new`, or to the files as they are now.

        Raises:
            CheckpointGone: A checkpoint is no longer kept.
            CheckpointFailed: git failed.
        """
        async with self._turn(workspace):
            git, shadow = await self._open(workspace)
            self._require(shadow, old, *((new,) if new else ()))
            target = new or await take(git, shadow)
            files: Sequence[Change] = tuple((await changes(git, old, target, counts=True)).values())
            text, truncated = await patch(git, old, target, size=patch_bytes)
        return Diff(tuple(files), text, truncated)

    def _turn(self, workspace: Workspace) -> asyncio.Lock:
        lock = self._turns.get(workspace.root)
        if lock is None:
            lock = self._turns[workspace.root] = asyncio.Lock()
        return lock

    async def _open(self, workspace: Workspace) -> tuple[Git, Shadow]:
        shadow = Shadow(self._store, workspace.root)
        exclude = await asyncio.to_thread(_own_exclude, workspace)
        await asyncio.to_thread(shadow.prepare, exclude)
        return Git(self._sandbox, workspace.root, shadow.path), shadow

    async def _keep(self, git: Git, shadow: Shadow, tree: str, label: str) -> str:
        index = shadow.path / "index"
        answer = await git.run("commit-tree", tree, index=index, stdin=label.encode())
        commit = answer.decode().strip()
        shadow.keep(label, commit)
        if len(shadow.commits()) > self._kept + SLACK:
            shadow.forget(self._kept)
            # Objects younger than this may belong to a snapshot that is just being made.
            await git.run("gc", "--quiet", "--prune=2.hours.ago", index=index)
        return commit

    def _require(self, shadow: Shadow, *checkpoints: str) -> None:
        kept = {commit for _, commit in shadow.commits()}
        if not kept.issuperset(checkpoints):
            raise CheckpointGone(f"Only the last {self._kept} checkpoints are kept.")


def _refuse_conflicts(names: list[bytes]) -> None:
    if names:
        paths = _shown(sorted(names))
        raise UndoConflict(
            f"{len(paths)} files changed after the run ended; force undoes them as well.",
            paths=list(paths[:CONFLICTS_NAMED]),
            path_count=len(paths),
        )


def _own_exclude(workspace: Workspace) -> str:
    """What the repository's own `.git/info/exclude` says."""
    try:
        return as_text(workspace.read(".git/info/exclude", 0, EXCLUDE_BYTES))
    except (FileNotFound, NotAFile, NotAFolder, OutsideWorkspace):
        return ""


def _shown(names: Sequence[bytes]) -> tuple[str, ...]:
    return tuple(shown(os.fsdecode(name)) for name in names)
