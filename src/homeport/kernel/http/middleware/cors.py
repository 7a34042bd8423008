"""Which pages of other origins may read our answers: an exact list, never a reflection.

A browser lets every page open a WebSocket to anybody and read it, so there the origin is checked on
the handshake: a page that is not listed is refused before anything else is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from homeport.kernel.errors import Forbidden
from homeport.kernel.http.middleware.exchange import add_headers, header, headers_named
from homeport.kernel.http.middleware.origins import OwnPages

METHODS = b"GET, HEAD, POST, PUT, PATCH, DELETE"
EXPOSED = (
    b"X-Request-ID, X-Process-Time, Server-Timing, RateLimit, RateLimit-Policy, X-RateLimit-Limit, "
    b"X-RateLimit-Remaining, X-RateLimit-Reset, Retry-After, ETag, Location, Content-Disposition, "
    b"X-Homeport-Ignored"
)
HEADER_NAMES = re.compile(rb"[A-Za-z0-9-]{1,64}(?:\s*,\s*[A-Za-z0-9-]{1,64}){0,63}")
PREFLIGHT_SECONDS = b"600"


class OriginRefused(Forbidden):
    """A page of this origin may not call us."""

    code = "request.origin-refused"
    title = "This origin is not allowed"


class CORS:
    """Lets pages of listed origins read answers (Fetch standard, CORS protocol).

    Args:
        app: What to wrap.
        origins: Exact origins. `null` is never one of them; `*` admits any, without credentials.
        public_url: The address that people see: pages from there are our own.
    """

    def __init__(
        self, app: ASGIApp, *, origins: Iterable[str], public_url: str | None = None
    ) -> None:
        self._app = app
        named = {origin.rstrip("/").encode() for origin in origins} - {b"null"}
        self._any = b"*" in named
        self._origins = frozenset(named - {b"*"})
        self._own = OwnPages(public_url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request; answers preflights itself.

        Raises:
            OriginRefused: A preflight or a WebSocket comes from an origin that is not listed.
        """
        if scope["type"] == "websocket":
            self._check_socket(scope)
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        add_headers(scope, (b"vary", b"Origin"))
        origin = header(scope, b"origin")
        allowed = origin is not None and self._allow(scope, origin)
        asked = header(scope, b"access-control-request-method")
        if origin is None or asked is None or scope["method"] != "OPTIONS":
            await self._app(scope, receive, send)
            return
        if not allowed:
            raise OriginRefused("Add the origin to CORS_ORIGINS to let its pages call Homeport.")
        wanted = header(scope, b"access-control-request-headers") or b""
        if HEADER_NAMES.fullmatch(wanted):
            add_headers(scope, (b"access-control-allow-headers", wanted))
        add_headers(
            scope,
            (b"access-control-allow-methods", METHODS),
            (b"access-control-max-age", PREFLIGHT_SECONDS),
        )
        await Response(status_code=204)(scope, receive, send)

    def _check_socket(self, scope: Scope) -> None:
        """Passes a handshake by nobody's page, by one of our own, or by one that is listed."""
        given = headers_named(scope, b"origin")
        if not given:
            return  # no browser: every browser names the page (RFC 6455, 10.2)
        listed = given[0] in self._origins or self._own.has(scope, given[0])
        if len(given) > 1 or not (listed or (self._any and given[0] != b"null")):
            raise OriginRefused("Add the origin to CORS_ORIGINS to let its pages call Homeport.")

    def _allow(self, scope: Scope, origin: bytes) -> bool:
        if origin in self._origins:
            add_headers(
                scope,
                (b"access-control-allow-origin", origin),
                (b"access-control-allow-credentials", b"true"),
                (b"access-control-expose-headers", EXPOSED),
            )
            return True
        if self._any and origin != b"null":
            add_headers(
                scope,
                (b"access-control-allow-origin", b"*"),
                (b"access-control-expose-headers", EXPOSED),
            )
            return True
        return False
