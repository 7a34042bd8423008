"""Stops what people have at work in a project that is closed to them."""

from __future__ import annotations

from sqlalchemy import ColumnElement, select

from homeport.dispatch.dispatcher import Dispatcher
from homeport.dispatch.models import RunRow
from homeport.dispatch.queue import IS_UNFINISHED
from homeport.eventlog import EventLog
from homeport.identity.work import Work
from homeport.projects.at_work import AtWork
from homeport.sessions.access import stream_of
from homeport.sessions.models import SessionRow
from homeport.sessions.service.stop import stop_session, unfinished_state


class Sessions(AtWork, Work):
    """The sessions of a project or a person, which a closing stops with their queues."""

    def __init__(self, log: EventLog, dispatcher: Dispatcher) -> None:
        self._log = log
        self._dispatcher = dispatcher

    async def stop(self, project_id: str, *, actor: str, user_id: str | None = None) -> None:
        """See `AtWork.stop`."""
        where = [SessionRow.project_id == project_id]
        if user_id is not None:
            where.append(SessionRow.user_id == user_id)
        await self._stop_where(*where, actor=actor)

    async def stop_all(self, user_id: str, *, actor: str) -> None:
        """See `Work.stop_all`."""
        await self._stop_where(SessionRow.user_id == user_id, actor=actor)

    async def _stop_where(self, *where: ColumnElement[bool], actor: str) -> None:
        busy = (
            select(SessionRow.id)
            .join(RunRow, RunRow.session_id == SessionRow.id)
            .where(IS_UNFINISHED, *where)
            .distinct()
        )
        async with self._log.database.read() as session:
            found = list(await session.scalars(busy))
        for session_id in found:
            await self._stop(session_id, actor)
        self._dispatcher.wake()

    async def _stop(self, session_id: str, actor: str) -> None:
        async with self._log.database.read() as session:
            row = await session.get_one(SessionRow, session_id)
            state = await unfinished_state(session, row)
        async with self._log.unit(stream_of(session_id)) as unit:
            row = await unit.session.get_one(SessionRow, session_id)
            runs = await stop_session(unit, row, actor=actor, with_queue=True, state=state)
        for run in runs:
            self._dispatcher.stop(run.id)
