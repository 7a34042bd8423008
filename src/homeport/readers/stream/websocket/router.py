"""The WebSockets. Whatever speaks against one is said on the handshake, before it is accepted.

A socket lasts, so it is served at the edge: what routed its handshake is not kept for it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import APIRouter, Header, Query, WebSocket
from starlette.types import Receive, Scope, Send

from homeport.dispatch.dispatcher import Dispatcher
from homeport.eventlog import EventLog
from homeport.identity.access import Callers
from homeport.identity.following import Following
from homeport.identity.signatures.enforcement import Signatures
from homeport.identity.whose import WHOSE
from homeport.kernel.http.middleware.exchange import answer_at_edge
from homeport.kernel.http.middleware.rates import RATED
from homeport.kernel.http.provide import provided, provided_if_any
from homeport.readers.stream.pulse import Pulse
from homeport.readers.stream.reader import Reader
from homeport.readers.stream.visible import visible
from homeport.readers.stream.websocket.commands import Commands
from homeport.readers.stream.websocket.many import ManySessions
from homeport.readers.stream.websocket.single import serve_session
from homeport.readers.stream.websocket.sockets import Sockets
from homeport.readers.stream.websocket.wire import Close, Wire
from homeport.sessions.access import stream_of
from homeport.tools.registry import Registry

router = APIRouter(prefix="/v1")

KEPT = (RATED, WHOSE, "route")
"""Members of the scope by which commands are counted, and their refusals noted."""

Log = Annotated[EventLog, provided(EventLog)]
Beat = Annotated[Pulse, provided(Pulse)]
Room = Annotated[Sockets, provided(Sockets)]


@router.websocket("/sessions/{session_id}/ws")
async def one_session(
    *,
    websocket: WebSocket,
    session_id: str,
    caller: Following,
    log: Log,
    pulse: Beat,
    sockets: Room,
    after: Annotated[str | None, Query()] = None,
    last_event_id: Annotated[str | None, Header()] = None,
) -> None:
    """Follow a session, as `GET /v1/sessions/{session_id}/stream` does."""
    scope, cursor = websocket.scope, last_event_id or after

    async def serve(receive: Receive, send: Send) -> None:
        stream, check = stream_of(session_id), visible(caller, session_id)
        with sockets.seat(caller):
            reader = await Reader.open(log, stream, cursor, check=check)
            try:
                with pulse.line(reader, caller) as line:
                    async with _accepted(scope, receive, send) as (socket, wire):
                        await serve_session(socket, wire, line)
            finally:
                reader.close()

    await answer_at_edge(scope, websocket.receive, websocket.send, serve)


@router.websocket("/ws")
async def many_sessions(
    *,
    websocket: WebSocket,
    caller: Following,
    log: Log,
    callers: Annotated[Callers, provided(Callers)],
    pulse: Beat,
    sockets: Room,
    dispatcher: Annotated[Dispatcher, provided(Dispatcher)],
    tools: Annotated[Registry, provided(Registry)],
    signatures: Annotated[Signatures | None, provided_if_any(Signatures)],
) -> None:
    """Follow many sessions, and speak, stop and decide beside it."""
    scope, commands = websocket.scope, Commands(log, dispatcher, tools, signatures)
    kept = {name: scope[name] for name in KEPT if name in scope}

    async def serve(receive: Receive, send: Send) -> None:
        scope.update(kept)
        with sockets.seat(caller):
            async with _accepted(scope, receive, send) as (socket, wire):
                served = ManySessions(
                    socket,
                    wire,
                    caller,
                    log=log,
                    callers=callers,
                    pulse=pulse,
                    commands=commands,
                    most=sockets.subscriptions,
                )
                await served.serve()

    await answer_at_edge(scope, websocket.receive, websocket.send, serve)


@asynccontextmanager
async def _accepted(
    scope: Scope, receive: Receive, send: Send
) -> AsyncGenerator[tuple[WebSocket, Wire]]:
    """An accepted socket; what nobody foresaw closes it, and goes on to the log."""
    websocket = WebSocket(scope, receive, send)
    await websocket.accept()
    wire = Wire(websocket)
    try:
        yield websocket, wire
    except Exception:
        await wire.close(Close.INTERNAL, "internal")
        raise
