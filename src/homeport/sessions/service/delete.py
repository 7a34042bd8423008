"""Deletes a conversation: stops what runs in it, waits until nobody holds it, takes it away.

What was said in it is erased in the same unit.
"""

from __future__ import annotations

import asyncio

from homeport.dispatch import queue
from homeport.dispatch.dispatcher import Dispatcher
from homeport.eventlog import Eraser, EventLog
from homeport.eventlog.catalogue.payload import ErasureReason
from homeport.kernel import clock
from homeport.sessions.access import session_of, stream_of
from homeport.sessions.errors import SessionBusy
from homeport.sessions.service.start import remove
from homeport.sessions.service.stop import stop_run, unfinished_state

PATIENCE_S = 10.0
"""Seconds to wait for the node that holds a run of the session."""
LOOK_S = 0.1


class Deletion:
    """Deletes conversations. Wiring provides the one instance."""

    def __init__(self, log: EventLog, dispatcher: Dispatcher, eraser: Eraser) -> None:
        self._log = log
        self._dispatcher = dispatcher
        self._eraser = eraser

    async def delete(
        self,
        session_id: str,
        *,
        user_id: str,
        actor: str,
        reason: ErasureReason = "session-deleted",
    ) -> None:
        """Deletes the user's session, in as many units as it takes.

        Raises:
            SessionNotFound: Absent, deleted, or somebody else's.
            SessionBusy: A run is being stopped and has not ended yet; ask again.
        """
        deadline = clock.monotonic() + PATIENCE_S
        while True:
            held = await self._stop_or_remove(session_id, user_id, actor, reason)
            if not held:
                return
            for run_id in held:
                self._dispatcher.stop(run_id)
            if clock.monotonic() > deadline:
                detail = "Its run is being stopped and has not ended yet; delete it again."
                raise SessionBusy(detail, retry_after=5, run_id=held[0])
            await asyncio.sleep(LOOK_S)

    async def _stop_or_remove(
        self, session_id: str, user_id: str, actor: str, reason: ErasureReason
    ) -> list[str]:
        """Removes the session, or returns the runs of it that somebody still holds."""
        async with self._log.database.read() as session:
            row = await session_of(session, user_id, session_id)
            waiting = [run for run in await queue.unfinished(session, session_id) if run.stopping]
            if waiting:  # only look: no unit is spent on a run that was asked to end already
                return [run.id for run in waiting]
            state = await unfinished_state(session, row)
        stream = stream_of(session_id)
        async with self._log.unit(stream) as unit:
            row = await session_of(unit.session, user_id, session_id)
            for run in reversed(await queue.unfinished(unit.session, row.id)):
                if not run.stopping:
                    await stop_run(unit, row, run.id, actor=actor, state=state)
            held = await queue.unfinished(unit.session, row.id)
        if held:
            return [run.id for run in held]
        async with self._log.unit(stream) as unit:
            row = await session_of(unit.session, user_id, session_id)
            if held := await queue.unfinished(unit.session, row.id):
                return [run.id for run in held]
            # Before the deletion, with which the stream ends: those who follow it are told both.
            await self._eraser.erase(unit, stream, reason=reason, actor=actor)
            await remove(unit, row, actor=actor)
        return []
