"""Answers a message again: a new run in the place of the last one."""

from __future__ import annotations

from sqlalchemy import func, select

from homeport.dispatch import queue
from homeport.dispatch.models import RunRow
from homeport.eventlog import Unit, read
from homeport.eventlog.catalogue.run import RunQueued, RunRetried
from homeport.kernel import clock, ids
from homeport.kernel.db import ReadSession, WriteSession
from homeport.projects.access import project_at_work
from homeport.sessions.access import stream_of
from homeport.sessions.errors import (
    MessageNotFound,
    RunNotLast,
    SessionArchived,
    SessionBusy,
)
from homeport.sessions.models import SessionRow
from homeport.sessions.service.say import Said


async def retry(unit: Unit, row: SessionRow, run: RunRow, *, actor: str) -> Said:
    """Queues a run in the place of `run`, the session's last one, which must be over.

    A run that was completed is answered anew: the agent forgets what it said. Any other one is gone
    on with, behind its last whole turn. What tools have done stays done; undo is another verb.

    Raises:
        SessionArchived: The session takes no runs.
        ProjectClosed, RoleRequired: Its project is not open to whose session it is any more.
        SessionBusy: A run is unfinished.
        RunNotLast: Something was said since.
        MessageNotFound: The session was cleared since.
    """
    if row.state != "open":
        raise SessionArchived
    await project_at_work(unit.session, project_id=row.project_id, user_id=row.user_id)
    if unfinished := await queue.unfinished(unit.session, row.id):
        raise SessionBusy(run_id=unfinished[0].id)
    last = select(func.max(RunRow.run_no)).where(RunRow.session_id == row.id)
    if run.run_no != await unit.session.scalar(last):
        raise RunNotLast("Only the last run of a session is retried; say something new instead.")
    if run.queued_seq <= row.begins_after:
        raise MessageNotFound("The session was cleared since.")
    message_id = await _message_of(unit.session, run)
    stream, cursor = stream_of(row.id), str(unit.head(stream_of(row.id)))
    run_id = ids.new_id()
    await queue.enqueue(
        unit,
        run_id=run_id,
        session_id=row.id,
        user_id=row.user_id,
        message_id=message_id,
        actor=actor,
    )
    anew = run.outcome == "completed"
    unit.append(stream, RunRetried(run_id=run_id, of=run.id, anew=anew), actor=actor)
    row.updated_at = clock.utc_now()
    return Said(message_id, run_id, cursor, repeated=False)


async def retried_before(session: ReadSession | WriteSession, run: RunRow) -> Said:
    """What an earlier request has made: `run` is the run in the other's place."""
    message_id = await _message_of(session, run)
    return Said(message_id, run.id, str(run.queued_seq - 1), repeated=True)


async def _message_of(session: ReadSession | WriteSession, run: RunRow) -> str:
    record = await read.record_at(session, stream_of(run.session_id), run.queued_seq)
    event = record.event() if record is not None else None
    if not isinstance(event, RunQueued):
        raise TypeError(f"run {run.id} was not queued at {run.queued_seq}")
    return event.message_id
