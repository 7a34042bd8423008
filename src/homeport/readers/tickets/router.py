"""Issues tickets for streams."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header

from homeport.eventlog import EventLog
from homeport.identity.access import Caller, needs
from homeport.identity.roles import API_READ
from homeport.identity.tickets import StreamTickets
from homeport.kernel.http.provide import provided
from homeport.readers.tickets.schemas import NewTicket, TicketView
from homeport.sessions.access import session_for

router = APIRouter(prefix="/v1/stream-tickets", tags=["stream"])


@router.post("", status_code=201)
async def issue_ticket(
    body: NewTicket,
    caller: Annotated[Caller, needs(API_READ)],
    log: Annotated[EventLog, provided(EventLog)],
    tickets: Annotated[StreamTickets, provided(StreamTickets)],
    origin: Annotated[str | None, Header(include_in_schema=False, max_length=255)] = None,
) -> TicketView:
    """Fetch what opens one stream from a page: an `EventSource` or a `WebSocket` sends no headers.

    The stream ends when the credential ends that the ticket was fetched with.
    """
    if body.session_id is not None:
        async with log.database.read() as session:
            await session_for(session, caller, body.session_id)
    return TicketView.of(await tickets.issue(caller, session_id=body.session_id, origin=origin))
