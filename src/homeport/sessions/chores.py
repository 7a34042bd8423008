"""What must happen to conversations with nobody asking for it; wiring runs it now and then."""

from __future__ import annotations

from typing import Final

import structlog
from sqlalchemy import select

from homeport.dispatch.dispatcher import Dispatcher
from homeport.eventlog import EventLog
from homeport.identity.models import User
from homeport.identity.service.accounts import KEPT
from homeport.identity.service.erase import IS_ERASED
from homeport.kernel import clock
from homeport.kernel.db import Database
from homeport.sessions.access import stream_of
from homeport.sessions.service.answer import expire, overdue
from homeport.sessions.service.erase_account import AccountErasure

AT_ONCE: Final = 20
_logger = structlog.stdlib.get_logger(__name__)


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


async def erase_deleted_accounts(log: EventLog, erasure: AccountErasure) -> int:
    """Erases what accounts hold whose deletion nobody has taken back in time; returns how many.

    Raises:
        SessionBusy: A run of one of them has not ended yet; the next step goes on.
        Unavailable: The database is busy or does not answer; the next step goes on.
    """
    over = User.deleted_at < clock.utc_now() - KEPT
    async with log.database.read() as session:
        due = select(User.id).where(over, ~IS_ERASED).order_by(User.deleted_at).limit(AT_ONCE)
        found = (await session.scalars(due)).all()
    for user_id in found:
        try:
            await erasure.erase(user_id)
        except OSError as error:  # its files: the next step tries again, the others go on
            _logger.warning("account.files-stay", user_id=user_id, error=repr(error))
    return len(found)
