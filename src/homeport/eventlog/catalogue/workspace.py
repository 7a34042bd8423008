"""Facts of workspaces: what was kept of their files, and what was put back.

They stand on the `session:<id>` whose run they belong to. Paths are relative to the workspace.
"""

from __future__ import annotations

from homeport.eventlog.catalogue.base import Event


class CheckpointCreated(Event):
    """The files were recorded before a turn changed them; turn 0 is the state after the run."""

    kind = "checkpoint.created"

    run_id: str
    turn: int
    commit: str


class CheckpointFailed(Event):
    """The files could not be recorded, so what the turn changes cannot be undone."""

    kind = "checkpoint.failed"

    run_id: str
    turn: int
    reason: str


class WorkspaceRestored(Event):
    """A person undid a run from `turn` on.

    `before` is the checkpoint of what was undone, `kept` are files left where they are because they
    were ignored when the checkpoint was made. Long lists are cut; the counts are whole.
    """

    kind = "workspace.restored"

    run_id: str
    turn: int
    commit: str
    before: str
    forced: bool
    restored: list[str]
    removed: list[str]
    kept: list[str]
    restored_count: int
    removed_count: int
