"""Stream tickets: what a page shows that cannot send headers with a stream.

A ticket stands in a URL, so it is worth little: it opens one stream, once, within 30 s, for the
page that asked for it, and only as long as the credential lasts that it was made with.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, insert, or_

from homeport.identity.access import Caller
from homeport.identity.authenticator import Authenticator
from homeport.identity.errors import TicketRefused
from homeport.identity.models import StreamTicket
from homeport.identity.opaque import TICKET_MARK, hashed, new_secret
from homeport.kernel import clock
from homeport.kernel.db import Database, WriteSession

LIFETIME: Final = timedelta(seconds=30)
_FORM: Final = re.compile(rf"{TICKET_MARK}[A-Za-z0-9_-]{{43}}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Ticket:
    """A fresh ticket, shown to its maker once."""

    text: str
    expires_at: datetime


class StreamTickets:
    """Issues tickets and takes them back, on any node."""

    def __init__(self, database: Database, callers: Authenticator) -> None:
        self._database = database
        self._callers = callers

    async def issue(self, caller: Caller, *, session_id: str | None, origin: str | None) -> Ticket:
        """A ticket for `caller`.

        Args:
            session_id: The session that it opens; None for the WebSocket of many sessions.
            origin: The page that asks; the ticket serves no other page. None when it is none.

        Raises:
            Unavailable: The database does not take it.
        """
        text = TICKET_MARK + new_secret()
        expires_at = clock.utc_now() + LIFETIME
        async with self._database.write() as session:
            await session.execute(
                insert(StreamTicket).values(
                    token_hash=hashed(text),
                    user_id=caller.user_id,
                    device_id=caller.device_id,
                    api_key_id=caller.api_key_id,
                    session_id=session_id,
                    origin=origin,
                    proof_expires_at=caller.expires_at,
                    expires_at=expires_at,
                )
            )
        return Ticket(text, expires_at)

    async def redeem(self, text: str, *, session_id: str | None, origin: str | None) -> Caller:
        """Whoever made the ticket, which is spent by this one statement.

        Args:
            session_id: What is to be opened, as in `issue`.
            origin: The page that shows it; None when none is named.

        Raises:
            TicketRefused: It is unknown, spent, expired, or for something else.
            CredentialRefused: What it was made with is worth nothing any more.
            Unavailable: The database cannot say; nobody is let in on a guess.
        """
        if not _FORM.fullmatch(text):
            raise TicketRefused
        same_page = or_(StreamTicket.origin.is_(None), StreamTicket.origin == origin)
        statement = (
            delete(StreamTicket)
            .where(
                StreamTicket.token_hash == hashed(text),
                StreamTicket.expires_at > clock.utc_now(),
                StreamTicket.session_id.is_(None)
                if session_id is None
                else StreamTicket.session_id == session_id,
                *(() if origin is None else (same_page,)),
            )
            .returning(
                StreamTicket.device_id, StreamTicket.api_key_id, StreamTicket.proof_expires_at
            )
            .execution_options(synchronize_session=False)
        )
        async with self._database.write() as session:
            spent = (await session.execute(statement)).first()
        if spent is None:
            raise TicketRefused
        device_id, api_key_id, proof_expires_at = spent
        return await self._callers.holder(
            device_id=device_id, api_key_id=api_key_id, expires_at=proof_expires_at
        )


async def remove_expired(session: WriteSession) -> None:
    """Takes away tickets that nobody used in time."""
    await session.execute(delete(StreamTicket).where(StreamTicket.expires_at < clock.utc_now()))
