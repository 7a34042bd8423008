"""The way out of one WebSocket, and the codes by which it ends (RFC 6455, 7.4; IANA's registry)."""

from __future__ import annotations

import asyncio
from enum import IntEnum

from starlette.websockets import WebSocket, WebSocketDisconnect

from homeport.readers.stream.frame import Frame


class Close(IntEnum):
    """Why a socket is closed. The server's own layer adds 1009: a message beyond the limit."""

    NORMAL = 1000
    """The session was deleted: nothing follows."""
    GOING_AWAY = 1001
    """The server goes; come back with the cursor."""
    UNSUPPORTED = 1003
    """Such a message is not taken here."""
    POLICY = 1008
    """The credential is worth nothing any more; come back with another one and the cursor."""
    INTERNAL = 1011
    """A mistake of ours."""
    TRY_AGAIN = 1013
    """Read too slowly, or the database does not answer; come back with the cursor."""


class Wire:
    """Sends one message at a time, whoever sends: only so is what waits for a client bounded."""

    __slots__ = ("_turn", "_websocket")

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        self._turn = asyncio.Lock()

    async def send(self, text: bytes) -> None:
        """One text message.

        Raises:
            WebSocketDisconnect: The client is gone.
        """
        async with self._turn:
            await self._websocket.send({"type": "websocket.send", "text": text.decode()})

    async def frame(self, frame: Frame) -> None:
        """One frame as it is."""
        await self.send(frame.data)

    async def close(self, code: Close, reason: str) -> None:
        """The end. It waits for nobody's turn; what a slow client has not taken is lost to it."""
        try:
            await self._websocket.close(code, reason)
        except WebSocketDisconnect:
            return  # the client was faster
