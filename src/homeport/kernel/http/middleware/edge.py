"""The outermost layer: the request's id, its time, the headers of every answer, the last net."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from homeport.kernel.http.errors import failure_response
from homeport.kernel.http.middleware.exchange import (
    TAIL,
    Headers,
    Tail,
    begin,
    header,
    headers_at_start,
)
from homeport.kernel.ids import new_id

REQUEST_ID_PATTERN = re.compile(rb"[A-Za-z0-9._-]{8,64}")
STARTS = frozenset({"http.response.start", "websocket.http.response.start", "websocket.accept"})
API_POLICY = b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
QUIET_PATHS = frozenset({"/livez", "/readyz", "/health", "/metrics"})

SECURITY_HEADERS: Headers = [
    (b"content-security-policy", API_POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    (b"cache-control", b"no-store"),
]
STRICT_TRANSPORT = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")

log = structlog.stdlib.get_logger(__name__)


class Edge:
    """Wraps the app once; a streamed chunk passes one comparison and nothing else.

    Args:
        app: What to wrap.
        https: Whether people reach this server over TLS (RFC 6797 forbids the header otherwise).
    """

    def __init__(self, app: ASGIApp, *, https: bool = False) -> None:
        self._app = app
        self._defaults = [*SECURITY_HEADERS, STRICT_TRANSPORT] if https else SECURITY_HEADERS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request or WebSocket."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        request_id = _request_id(scope)
        extra = begin(scope, request_id)
        structlog.contextvars.bind_contextvars(request_id=request_id)
        given = frozenset(scope)
        status = 0

        def send_from_edge(message: Message) -> Awaitable[None]:
            nonlocal status
            if not status and message["type"] in STARTS:
                status = int(message.get("status", 101))
                elapsed = time.perf_counter() - began
                more = [*extra, *headers_at_start(scope)]
                message["headers"] = self._headers(
                    message.get("headers", ()), more, request_id, elapsed
                )
            return send(message)

        try:
            await self._app(scope, receive, send_from_edge)
            tail = _detached(scope, given)
            if tail is not None:
                await tail(receive, send_from_edge)
        except ClientDisconnect:
            status = status or 499  # nobody is left to answer; nginx's number, for the log alone
        except Exception as error:  # noqa: BLE001 - the last net: logged and answered
            response = failure_response(error, scope)
            if not status:
                await response(scope, receive, send_from_edge)
            # An answer that has begun is left unfinished: the server then cuts the connection,
            # and the client sees that the end is missing.
        finally:
            if scope["path"] not in QUIET_PATHS:
                _write_down(scope, status, time.perf_counter() - began)

    def _headers(self, given: Headers, extra: Headers, request_id: str, elapsed: float) -> Headers:
        headers = [*given, *extra]
        present = {name.lower() for name, _ in headers}
        headers += [pair for pair in self._defaults if pair[0] not in present]
        headers += [
            (b"x-request-id", request_id.encode()),
            (b"x-process-time", b"%.6f" % elapsed),
            (b"server-timing", b"app;dur=%.3f" % (elapsed * 1000)),
        ]
        return headers


def _detached(scope: Scope, given: frozenset[str]) -> Tail | None:
    """What goes on without the layers below, if anything does; they leave nothing behind then."""
    tail: Tail | None = scope[TAIL]
    if tail is not None:
        for name in scope.keys() - given:
            del scope[name]
    return tail


def _request_id(scope: Scope) -> str:
    given = header(scope, b"x-request-id")
    if given is not None and REQUEST_ID_PATTERN.fullmatch(given):
        return given.decode()
    return new_id()


def _write_down(scope: Scope, status: int, elapsed: float) -> None:
    log.info(
        "request.served",
        method=scope.get("method", "WEBSOCKET"),
        path=scope["path"],  # the query is left out: it may carry a ticket
        status=status,
        ms=round(elapsed * 1000, 1),
    )
