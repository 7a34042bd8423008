"""Undoes what a run changed in its workspace."""

from __future__ import annotations

from dataclasses import dataclass

from homeport.dispatch import queue
from homeport.eventlog import EventLog, read
from homeport.eventlog.catalogue.workspace import CheckpointCreated, WorkspaceRestored
from homeport.files.access import workspace_of
from homeport.files.checkpoints import Checkpoints, Undone
from homeport.identity.access import Caller
from homeport.kernel.db import ReadSession
from homeport.projects.access import project_for
from homeport.runs.checkpoint import END
from homeport.runs.errors import NoCheckpoint, RunNotOver
from homeport.sessions.access import run_for, stream_of
from homeport.sessions.errors import SessionBusy

NAMED = 200
"""So many files are named in the event; the counts are whole."""


@dataclass(frozen=True, slots=True)
class Undo:
    """What was undone: the run from `turn` on."""

    turn: int
    files: Undone


async def undo(
    log: EventLog,
    checkpoints: Checkpoints,
    *,
    caller: Caller,
    run_id: str,
    turn: int | None = None,
    force: bool = False,
) -> Undo:
    """Restores the files that a run changed since `turn` began (default: its first change).

    Raises:
        RunNotFound: Absent, or somebody else's.
        ProjectNotFound, RoleRequired: The project is not open to the caller any more.
        RunNotOver: The run is still at work.
        SessionBusy: Another run of the session is at work in the same files.
        NoCheckpoint: The run changed nothing in that turn or later that could be undone.
        UndoConflict: Files changed after the run ended; they are named, nothing was changed.
    """
    async with log.database.read() as session:
        run, row = await run_for(session, caller, run_id)
        if run.status != "finished":
            raise RunNotOver("Stop it first, or wait for its end.", run_id=run_id)
        if unfinished := await queue.unfinished(session, row.id):
            raise SessionBusy("Another run is at work in these files.", run_id=unfinished[0].id)
        kept = await _checkpoints(session, row.id, run_id)
        project = await project_for(session, caller, row.project_id, "write")
    # A turn that changed nothing has no checkpoint: the state before it is that of the next one.
    turns = sorted(each for each in kept if each != END and (turn is None or each >= turn))
    if not turns:
        raise NoCheckpoint("This run has no checkpoint from that turn on.")
    done = await checkpoints.undo(
        workspace_of(project), checkpoint=kept[turns[0]], after=kept.get(END), force=force
    )
    async with log.unit(stream_of(row.id)) as unit:
        restored = WorkspaceRestored(
            run_id=run_id,
            turn=turns[0],
            commit=kept[turns[0]],
            before=done.before,
            forced=force,
            restored=list(done.restored[:NAMED]),
            removed=list(done.removed[:NAMED]),
            kept=list(done.kept[:NAMED]),
            restored_count=len(done.restored),
            removed_count=len(done.removed),
        )
        unit.append(stream_of(row.id), restored, actor=caller.actor)
    return Undo(turns[0], done)


async def _checkpoints(session: ReadSession, session_id: str, run_id: str) -> dict[int, str]:
    kept: dict[int, str] = {}
    seq = 0
    while records := await read.records_after(session, stream_of(session_id), seq):
        seq = records[-1].seq
        for record in records:
            if record.kind == CheckpointCreated.kind and not record.erased:
                event = record.event()
                if isinstance(event, CheckpointCreated) and event.run_id == run_id:
                    kept[event.turn] = event.commit
    return kept
