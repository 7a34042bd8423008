"""The WebSocket of one session: its frames, and nothing else in either direction."""

from __future__ import annotations

import asyncio

from starlette.websockets import WebSocket

from homeport.readers.stream.pulse import End, Line
from homeport.readers.stream.websocket.delivery import closing, deliver
from homeport.readers.stream.websocket.tasks import ended, failure_of
from homeport.readers.stream.websocket.wire import Close, Wire


async def serve_session(websocket: WebSocket, wire: Wire, line: Line) -> None:
    """Serves an accepted socket until one side ends it."""
    sender = line.sender = asyncio.create_task(deliver(line, wire.frame), name="socket.send")
    listener = asyncio.create_task(_listen(websocket, line), name="socket.listen")
    try:
        await asyncio.wait({sender})
    finally:
        await ended(sender, listener)
    if not listener.cancelled() and listener.result():
        await wire.close(Close.UNSUPPORTED, "socket.read-only")
    elif (how := closing(line.end, failure_of(sender))) is not None:
        await wire.close(*how)


async def _listen(websocket: WebSocket, line: Line) -> bool:
    """Ends the line when the client goes, or says something: whether it said something."""
    message = await websocket.receive()
    line.finish(End.GONE)
    return bool(message["type"] == "websocket.receive")
