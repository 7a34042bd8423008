"""What must happen to conversations with nobody asking for it; wiring runs it now and then."""

from __future__ import annotations

from homeport.dispatch.dispatcher import Dispatcher
from homeport.eventlog import EventLog
from homeport.kernel.db import Database
from homeport.sessions.access import stream_of
from homeport.sessions.service.answer import expire, overdue


async def expire_approvals(log: EventLog, database: Database, dispatcher: Dispatcher) -> int:
    """Ends the questions whose time is over, at most 100 in one pass; returns how many it saw.

    Raises:
        Unavailable: The database is busy or does not answer; the rest waits for the next pass.
    """
    async with database.read() as session:
        questions = await overdue(session)
    for question in questions:
        async with log.unit(stream_of(question.session_id)) as unit:
            await expire(unit, question)
        dispatcher.wake()
    return len(questions)
