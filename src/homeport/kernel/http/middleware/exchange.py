"""What middleware and handlers of one request tell each other, kept in its ASGI scope."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import cast

from starlette.types import Receive, Scope, Send

Headers = list[tuple[bytes, bytes]]
Tail = Callable[[Receive, Send], Awaitable[None]]

REQUEST_ID = "homeport.request_id"
RESPONSE_HEADERS = "homeport.response_headers"
LATE_HEADERS = "homeport.late_headers"
TAIL = "homeport.tail"
TARGET = "homeport.target"


def begin(scope: Scope, request_id: str) -> Headers:
    """Opens the exchange; returns the list that `add_headers` fills."""
    headers: Headers = []
    scope[REQUEST_ID] = request_id
    scope[RESPONSE_HEADERS] = headers
    scope[LATE_HEADERS] = None
    scope[TAIL] = None
    return headers


async def answer_at_edge(scope: Scope, receive: Receive, send: Send, tail: Tail) -> None:
    """Answers with `tail`, once every layer between here and the edge has returned.

    For an answer that lasts: what the layers hold for a request would be held for all that time,
    and each of them would hand on every chunk. Without an edge (the app alone) it is done here.
    """
    if TAIL in scope:
        scope[TAIL] = tail
    else:
        await tail(receive, send)


def keep_target(scope: Scope) -> None:
    """Notes path and query as they were sent, before a layer rewrites them."""
    scope.setdefault(TARGET, _target(scope))


def target_as_sent(scope: Scope) -> str:
    """Path and query as the client sent them."""
    kept: str | None = scope.get(TARGET)
    return _target(scope) if kept is None else kept


def _target(scope: Scope) -> str:
    raw = cast("bytes | None", scope.get("raw_path")) or scope["path"].encode()
    query = cast("bytes", scope["query_string"])
    return (raw + b"?" + query if query else raw).decode("latin-1")


def add_headers(scope: Scope, *headers: tuple[bytes, bytes]) -> None:
    """Adds headers to the answer of this request; too late once it has started."""
    cast("Headers", scope[RESPONSE_HEADERS]).extend(headers)


def add_headers_at_start(scope: Scope, late: Callable[[], Headers]) -> None:
    """Adds headers that are made when the answer starts: what they tell may change until then."""
    scope[LATE_HEADERS] = late


def headers_at_start(scope: Scope) -> Headers:
    """What `add_headers_at_start` was given for, made now."""
    late: Callable[[], Headers] | None = scope[LATE_HEADERS]
    return [] if late is None else late()


def header(scope: Scope, name: bytes) -> bytes | None:
    """The first header of the request with this lower-case name."""
    return next((value for key, value in cast("Headers", scope["headers"]) if key == name), None)


def headers_named(scope: Scope, name: bytes) -> list[bytes]:
    """All headers of the request with this lower-case name."""
    return [value for key, value in cast("Headers", scope["headers"]) if key == name]
