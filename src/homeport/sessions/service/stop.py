"""Stops runs: at once when nobody holds them, through their node when one does."""

from __future__ import annotations

from homeport.dispatch import queue
from homeport.dispatch.models import RunRow
from homeport.eventlog import Unit, read
from homeport.eventlog.catalogue.run import RunStopRequested
from homeport.kernel.db import ReadSession
from homeport.sessions.access import stream_of
from homeport.sessions.errors import RunOver
from homeport.sessions.models import SessionRow
from homeport.sessions.service.conclude import catch_up, end_record
from homeport.sessions.state import SessionState


async def unfinished_state(session: ReadSession, row: SessionRow) -> SessionState:
    """What the log tells of the unfinished runs: read before the unit, which only catches up.

    Of a run that somebody holds nothing is read: its node knows it, and will end it.
    """
    runs = await queue.unfinished(session, row.id)
    if not runs:
        return SessionState(after=await read.head_of(session, stream_of(row.id)) or 0)
    state = SessionState(after=runs[0].queued_seq - 1)
    if runs[0].status != "running":
        await catch_up(session, row, state)
    return state


async def stop_run(
    unit: Unit, row: SessionRow, run_id: str, *, actor: str, state: SessionState
) -> bool:
    """Ends one run: at once (True), or on the node that holds it, within two seconds (False).

    Args:
        state: From `unfinished_state`.

    Raises:
        RunOver: It has ended already.
    """
    unit.append(stream_of(row.id), RunStopRequested(run_id=run_id), actor=actor)
    free = await queue.unclaimed(unit, run_id)
    if free is not None:
        if free.epoch:  # one that was never taken up has no story
            await catch_up(unit.session, row, state)
        ended = state.run(run_id)
        seq = await end_record(unit, row, ended, actor=actor, status="stopped", reason="stop")
        await queue.finish_unclaimed(unit, run_id, "stopped", seq=seq)
        return True
    if not await queue.ask_to_stop(unit, run_id):
        raise RunOver(run_id=run_id)
    return False


async def stop_session(
    unit: Unit, row: SessionRow, *, actor: str, with_queue: bool, state: SessionState
) -> list[RunRow]:
    """Ends the current run, and with `with_queue` those behind it; returns the runs it ended.

    Args:
        state: From `unfinished_state`.
    """
    runs = await queue.unfinished(unit.session, row.id)
    stopped = runs if with_queue else runs[:1]
    # From the last to the first, so that none of them is claimed when the one before it ends.
    for run in reversed(stopped):
        await stop_run(unit, row, run.id, actor=actor, state=state)
    return stopped
