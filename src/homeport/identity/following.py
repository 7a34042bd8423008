"""Who follows a stream: by a header as everywhere, or by a ticket where headers cannot be sent.

    @router.get("/v1/sessions/{session_id}/stream")
    async def stream(session_id: str, caller: Following) -> ...: ...

A page cannot send headers with an `EventSource` or a `WebSocket`. It fetches a ticket with them,
and shows that as `?ticket=`. Following only reads: what a WebSocket lets its caller do besides asks
for more by itself.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query
from starlette.requests import HTTPConnection

from homeport.identity.access import Caller, bearer_header, identified, key_header
from homeport.identity.asking import asking
from homeport.identity.errors import AmbiguousCredential, OriginMissing
from homeport.identity.roles import API_READ
from homeport.identity.tickets import StreamTickets
from homeport.identity.whose import WHOSE
from homeport.kernel.http.provide import services_of


async def _following(
    connection: HTTPConnection,
    bearer: Annotated[str | None, Depends(bearer_header)],
    key: Annotated[str | None, Depends(key_header)],
    ticket: Annotated[
        str | None,
        Query(description="From `POST /v1/stream-tickets`, for pages: once, within 30 s."),
    ] = None,
) -> Caller:
    """The caller, who may read.

    Raises:
        Unauthenticated: Nobody proved anything, or the ticket is spent.
        OriginMissing: A ticket came with a WebSocket that no page has opened.
    """
    if ticket is None:
        caller = await identified(connection, bearer, key)
    elif bearer is not None or key is not None:
        raise AmbiguousCredential
    else:
        caller = await _ticket_holder(connection, ticket)
    caller.require(API_READ)
    return caller


async def _ticket_holder(connection: HTTPConnection, ticket: str) -> Caller:
    origin = connection.headers.get("origin")
    # Every browser names the page that opens a WebSocket (RFC 6455, 10.2); not so with a plain GET.
    if origin is None and connection.scope["type"] == "websocket":
        raise OriginMissing
    tickets = services_of(connection).get(StreamTickets)
    session_id: str | None = connection.path_params.get("session_id")
    caller = await tickets.redeem(ticket, session_id=session_id, origin=origin)
    connection.scope[WHOSE] = caller.owner
    return caller


asking(_following, API_READ)
Following = Annotated[Caller, Depends(_following)]
