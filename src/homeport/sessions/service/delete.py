"""Deletes a conversation: stops what runs in it, waits until nobody holds it, takes it away."""

from __future__ import annotations

import asyncio

from homeport.dispatch import queue
from homeport.dispatch.dispatcher import Dispatcher
from homeport.eventlog import EventLog
from homeport.identity.access import Caller
from homeport.kernel import clock
from homeport.sessions.access import opened, session_for
from homeport.sessions.errors import SessionBusy
from homeport.sessions.service.start import remove
from homeport.sessions.service.stop import stop_run, unfinished_state

PATIENCE_S = 10.0
LOOK_S = 0.1


async def delete_session(
    log: EventLog,
    dispatcher: Dispatcher,
    caller: Caller,
    session_id: str,
    *,
    patience: float = PATIENCE_S,
) -> None:
    """Deletes the caller's session, in as many units as it takes.

    Args:
        patience: Seconds to wait for the node that holds a run of it.

    Raises:
        SessionNotFound: Absent, deleted, or somebody else's.
        SessionBusy: A run is being stopped and has not ended yet; ask again.
    """
    deadline = clock.monotonic() + patience
    while True:
        held = await _stop_or_remove(log, caller, session_id)
        if not held:
            return
        for run_id in held:
            dispatcher.stop(run_id)
        if clock.monotonic() > deadline:
            detail = "Its run is being stopped and has not ended yet; delete it again."
            raise SessionBusy(detail, retry_after=5, run_id=held[0])
        await asyncio.sleep(LOOK_S)


async def _stop_or_remove(log: EventLog, caller: Caller, session_id: str) -> list[str]:
    """Removes the session, or returns the runs of it that somebody still holds."""
    async with log.database.read() as session:
        row = await session_for(session, caller, session_id)
        waiting = [run for run in await queue.unfinished(session, session_id) if run.stopping]
        if waiting:  # only look: no unit is spent on a run that was asked to end already
            return [run.id for run in waiting]
        state = await unfinished_state(session, row)
    async with opened(log, caller, session_id) as (unit, row):
        for run in reversed(await queue.unfinished(unit.session, row.id)):
            if not run.stopping:
                await stop_run(unit, row, run.id, actor=caller.actor, state=state)
        held = await queue.unfinished(unit.session, row.id)
        if not held:
            await remove(unit, row, actor=caller.actor)
        return [run.id for run in held]
