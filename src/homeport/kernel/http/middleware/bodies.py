"""Bodies: no more bytes than the limit, before anything parses them, and JSON with one reading."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import cast

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from homeport.kernel.errors import Invalid, TooLarge, UnsupportedMedia
from homeport.kernel.http.middleware.exchange import header
from homeport.kernel.http.strict_json import check_json

LINGER_BYTES = 16 << 20
LINGER_S = 5.0


class BodyTooLarge(TooLarge):
    """The body is longer than this path takes."""

    code = "request.too-large"
    title = "The body is too large"


class BadLength(Invalid):
    """Content-Length is no number."""

    code = "request.bad-length"
    title = "Content-Length is not valid"


class Encoded(UnsupportedMedia):
    """The body is compressed."""

    code = "request.encoded-body"
    title = "Compressed bodies are not accepted"


class Bodies:
    """Holds every request to its limit, counted as it arrives where no length is declared.

    Args:
        app: What to protect.
        limit: Bytes of a body.
        larger: Limits of other paths, by prefix.
    """

    def __init__(self, app: ASGIApp, *, limit: int, larger: Mapping[str, int]) -> None:
        self._app = app
        self._limit = limit
        self._larger = tuple(larger.items())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request.

        Raises:
            BodyTooLarge: The body is longer than this path takes.
            MalformedJSON: It says that it is JSON, and is not acceptable as such.
        """
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._limit_of(scope["path"])
        length = _declared_length(scope)
        if length is not None and length > limit:
            await _hear_out(scope, receive)
            raise too_large(limit)
        if (header(scope, b"content-encoding") or b"identity") != b"identity":
            raise Encoded
        bounded = _Bounded(scope, receive, limit)
        if length == 0 or not _is_json(header(scope, b"content-type")):
            await self._app(scope, bounded.receive, send)
            return
        body = await bounded.read()
        if body is None:
            return  # the client left before it had said all
        if body:
            check_json(body)
        await self._app(scope, _Replay(body, receive).receive, send)

    def _limit_of(self, path: str) -> int:
        return next(
            (limit for prefix, limit in self._larger if path.startswith(prefix)), self._limit
        )


class _Bounded:
    """Counts what arrives."""

    def __init__(self, scope: Scope, receive: Receive, limit: int) -> None:
        self._scope = scope
        self._receive = receive
        self._limit = limit
        self._seen = 0

    async def receive(self) -> Message:
        message = await self._receive()
        self._seen += len(message.get("body", b""))
        if self._seen > self._limit:
            if message.get("more_body", False):
                await _hear_out(self._scope, self._receive)
            raise too_large(self._limit)
        return message

    async def read(self) -> bytes | None:
        """The whole body, or None when the client leaves."""
        parts: list[bytes] = []
        while True:
            message = await self.receive()
            if message["type"] != "http.request":
                return None
            parts.append(cast("bytes", message.get("body", b"")))
            if not message.get("more_body", False):
                return b"".join(parts)


class _Replay:
    """Hands over a body that was read, then whatever comes."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def receive(self) -> Message:
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}


async def _hear_out(scope: Scope, receive: Receive) -> None:
    """Discards what a client sends that closes the connection behind the answer.

    The answer would not reach it: to close with bytes unread is to reset (RFC 9112, 9.6). Whoever
    keeps the connection, or waits for a 100, needs none of that.
    """
    closes = (header(scope, b"connection") or b"").lower() == b"close"
    if not closes or header(scope, b"expect") is not None:
        return
    heard = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(LINGER_S):
            while heard < LINGER_BYTES:
                message = await receive()
                heard += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return


def too_large(limit: int) -> BodyTooLarge:
    """The refusal that names the limit."""
    return BodyTooLarge(f"A body takes {limit:,} bytes here.", limit=limit)


def _declared_length(scope: Scope) -> int | None:
    given = header(scope, b"content-length")
    if given is None:
        return None
    if not given.isdigit() or len(given) > 18:
        raise BadLength
    return int(given)


def _is_json(content_type: bytes | None) -> bool:
    if content_type is None:
        return False
    kind = content_type.split(b";", 1)[0].strip().lower()
    return kind.startswith(b"application/") and kind.endswith((b"/json", b"+json"))
