"""The path that a request means: old prefixes, a `?` that old clients leave encoded, no U+0000."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from homeport.kernel.errors import Invalid
from homeport.kernel.http.middleware.exchange import keep_target

OLD_PREFIXES = ("/api/v1/", "/api/")
OLD_SOCKETS = {"/ws": "/v1/ws", "/v1/chat/stream": "/v1/ws"}
LONGEST_TARGET = 16_384


class BadTarget(Invalid):
    """The path or the query cannot be meant."""

    code = "request.bad-target"
    title = "The path or the query is not valid"


class Targets:
    """Rewrites `/api/v1/*` and `/api/*` to `/v1/*`, old WebSockets, and splits off a `%3F`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request.

        Raises:
            BadTarget: The target is too long or holds U+0000.
        """
        if scope["type"] != "lifespan":
            _check(scope)
            _rewrite(scope)
        await self._app(scope, receive, send)


def _check(scope: Scope) -> None:
    path, query = scope["path"], scope["query_string"]
    if len(path) + len(query) > LONGEST_TARGET:
        raise BadTarget(f"A path and query take {LONGEST_TARGET:,} bytes together.")
    if "\x00" in path or b"%00" in query or b"\x00" in query:
        raise BadTarget("U+0000 is not text.")


def _rewrite(scope: Scope) -> None:
    path: str = scope["path"]
    renewed, mark, more = path.partition("?")
    for prefix in OLD_PREFIXES:
        if renewed.startswith(prefix):
            renewed = "/v1/" + renewed.removeprefix(prefix)
            break
    if scope["type"] == "websocket":
        renewed = OLD_SOCKETS.get(renewed, renewed)
    if mark or renewed != path:
        keep_target(scope)
    if mark:
        parts = [part for part in (more.encode(), scope["query_string"]) if part]
        scope["query_string"] = b"&".join(parts)
    if renewed != path:
        scope["path"] = renewed
        scope["raw_path"] = renewed.encode()
