"""uvicorn's WebSocket, made to refuse in our words, to end on time, and never to wait for a close.

A handshake that is none gets the error document, and an answer at all. A close is written at once,
also where the client takes nothing any more. One that does not take the end either is cut off after
`LINGER_S`: else it would hold a descriptor and what was buffered for as long as it likes.
"""

from __future__ import annotations

import asyncio
import http
import logging
from typing import Any

import orjson
import structlog
from uvicorn._types import ASGISendEvent
from uvicorn.config import Config
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.http11 import Response
from websockets.server import ServerProtocol

from homeport.kernel.errors import Invalid
from homeport.kernel.http.documents import MEDIA_TYPE
from homeport.kernel.http.errors import error_document
from homeport.kernel.http.middleware.edge import SECURITY_HEADERS
from homeport.kernel.http.middleware.exchange import REQUEST_ID
from homeport.kernel.ids import new_id

LINGER_S = 15.0  # longer than uvicorn waits for the client's own close

log = structlog.stdlib.get_logger(__name__)


class NotWebSocket(Invalid):
    """The request asks for a WebSocket and is none of RFC 6455."""

    code = "request.not-websocket"
    title = "This is no WebSocket handshake"


class Handshake(ServerProtocol):
    """Refuses with the error document."""

    def reject(self, status: http.HTTPStatus | int, text: str) -> Response:
        """The answer to a handshake that is none; why is for the log, it may echo the request."""
        log.info("request.not-websocket", reason=text.strip()[:200], would_be=int(status))
        scope = {"path": "", REQUEST_ID: new_id()}
        body = orjson.dumps(error_document(NotWebSocket(), scope)).decode()
        response = super().reject(http.HTTPStatus.BAD_REQUEST, body)
        headers = response.headers
        del headers["Content-Type"]
        headers["Content-Type"] = MEDIA_TYPE
        headers["X-Request-ID"] = scope[REQUEST_ID]
        for name, value in SECURITY_HEADERS:
            headers[name.decode()] = value.decode()
        return response


class BoundedWebSocket(WebSocketsSansIOProtocol):
    """Serves one WebSocket."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        # Without compression: it costs 30 KiB a socket and time per delta, and what mixes secrets
        # with what somebody else chose must not be compressed together.
        logger = logging.getLogger("uvicorn.error")
        self.conn = Handshake(max_size=config.ws_max_size, logger=logger)
        self._accepted = False
        self._cutting: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        """Also answers a handshake whose head is too long, which uvicorn would leave waiting."""
        super().data_received(data)
        if not self.handshake_initiated:
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()

    async def send(self, message: ASGISendEvent) -> None:
        """As ASGI has it; what is sent behind the end is a client that is gone, never a mistake.

        Raises:
            ClientDisconnected: The client is gone, or is about to be.
        """
        if message["type"] == "websocket.close":
            self.writable.set()  # nothing follows that would have to wait for room
        await self.writable.wait()
        gone = self.disconnected or self.transport.is_closing()
        if self._accepted:
            if gone or self.close_sent:
                raise ClientDisconnected
        elif gone:
            return  # nobody is left to be accepted or refused
        self._accepted = self._accepted or message["type"] == "websocket.accept"
        await super().send(message)

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        """Nobody sends any more: the client has this long to take what there is."""
        super().on_task_complete(task)
        if not self.disconnected:
            self._cutting = self.loop.call_later(LINGER_S, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """The end."""
        if self._cutting is not None:
            self._cutting.cancel()
        super().connection_lost(exc)
