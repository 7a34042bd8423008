"""uvicorn, made to end well and to bound what a client may send before it is a request."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable
from types import FrameType

import orjson
import structlog
import uvicorn
from uvicorn._types import ASGISendEvent
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from homeport.kernel.errors import Invalid
from homeport.kernel.http.documents import MEDIA_TYPE
from homeport.kernel.http.errors import error_document
from homeport.kernel.http.middleware.edge import SECURITY_HEADERS
from homeport.kernel.http.middleware.exchange import REQUEST_ID
from homeport.kernel.ids import new_id

LONGEST_HEAD = 1 << 16  # bytes of a request's head; the parser itself would take any number

log = structlog.stdlib.get_logger(__name__)


class NotHTTP(Invalid):
    """The bytes are no request that this server reads."""

    code = "request.not-http"
    title = "This is not a request"


class BoundedHTTP(HttpToolsProtocol):
    """Cuts a connection whose head of a request does not end."""

    _heading = True
    _bytes_of_head = 0

    def data_received(self, data: bytes) -> None:
        """Counts while there is no request yet."""
        if self._heading:
            self._bytes_of_head += len(data)
        super().data_received(data)
        if self._heading and self._bytes_of_head > LONGEST_HEAD and not self.transport.is_closing():
            log.warning("request.head-too-long", bytes=self._bytes_of_head)
            self.send_400_response("The head of the request is too long.")

    def send_400_response(self, msg: str) -> None:
        """Answers what is no request with the error document, and closes."""
        log.info("request.not-http", reason=msg)
        scope = {"path": "", REQUEST_ID: new_id()}
        body = orjson.dumps(error_document(NotHTTP(msg), scope))
        headers = [
            (b"content-type", MEDIA_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
            (b"x-request-id", scope[REQUEST_ID].encode()),
            *SECURITY_HEADERS,
        ]
        lines = b"".join(b"%s: %s\r\n" % header for header in headers)
        self.transport.write(b"HTTP/1.1 400 Bad Request\r\n%s\r\n%s" % (lines, body))
        self.transport.close()

    def on_message_begin(self) -> None:
        """A head begins."""
        self._heading = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """A head has ended."""
        self._heading = False
        self._bytes_of_head = 0
        if not self.url.startswith((b"/", b"*")):
            self._take_host_of_target()
        super().on_headers_complete()
        cycle = self.cycle  # None when the first request of a connection asks for an upgrade
        if cycle is not None and self.scope["http_version"] == "1.0":  # pyright: ignore[reportUnnecessaryComparison]
            leave_unchunked(cycle)

    def _take_host_of_target(self) -> None:
        """Replaces Host by what an absolute target names, which counts (RFC 9112, 3.2.2)."""
        _, absolute, rest = self.url.partition(b"://")
        if absolute:
            named = (b"host", rest.partition(b"/")[0])
            self.headers[:] = [*(each for each in self.headers if each[0] != b"host"), named]


def leave_unchunked(cycle: RequestResponseCycle) -> None:
    """For a client that knows no chunks: a body of unknown length ends with its connection.

    uvicorn's own chunks whatever has no Content-Length, also for HTTP/1.0, whose clients would take
    the lengths for content (RFC 9112, section 6.1: it must not be sent to them).
    """
    send, unbounded = cycle.send, False

    async def send_unchunked(message: ASGISendEvent) -> None:
        nonlocal unbounded
        if message["type"] == "http.response.start":
            named = {name.lower() for name, _ in message.get("headers", ())}
            unbounded = b"content-length" not in named
            if unbounded:
                cycle.chunked_encoding = cycle.keep_alive = False
        elif message["type"] == "http.response.body" and unbounded:
            cycle.expected_content_length = len(message.get("body", b""))
        await send(message)

    cycle.send = send_unchunked


class DrainingServer(uvicorn.Server):
    """Drains before it stops: streams are told, runs are handed over, then the sockets close.

    uvicorn's own handler would raise the signal again after serving and so end the process with
    the signal's code, and would stop accepting before anybody has been told.

    Args:
        config: Of uvicorn.
        drain: Awaited at the first signal; the second one ends at once.
        started: Called with the server's port when it accepts connections.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        drain: Callable[[], Awaitable[None]],
        started: Callable[[int], None],
    ) -> None:
        super().__init__(config)
        self._drain = drain
        self._on_started = started
        self._loop: asyncio.AbstractEventLoop | None = None
        self._draining: asyncio.Task[None] | None = None
        self._signals = 0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listens, then says where."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self._on_started(self.servers[0].sockets[0].getsockname()[1])

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - Python's signature
        """The first signal drains, the second one ends."""
        self._signals += 1
        if self._signals > 1 or self._loop is None:
            self.force_exit = self.should_exit = True
            return
        log.info("server.draining", signal=signal.Signals(sig).name)
        self._loop.call_soon_threadsafe(self._begin_drain)

    def _begin_drain(self) -> None:
        self._draining = asyncio.ensure_future(self._drain_then_exit())

    async def _drain_then_exit(self) -> None:
        try:
            await self._drain()
        finally:
            self.should_exit = True
