"""Which page a browser says it shows: our own, or somebody else's."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.types import Scope

from homeport.kernel.http.middleware.exchange import header, headers_named


class OwnPages:
    """The origins (RFC 6454) whose pages are this server's own.

    Args:
        public_url: The address that people see, where it differs from the one that is called.
    """

    def __init__(self, public_url: str | None) -> None:
        public = urlsplit(public_url or "")
        self._public = f"{public.scheme}://{public.netloc}".encode() if public.netloc else None

    def has(self, scope: Scope, origin: bytes) -> bool:
        """Whether `origin` is the public address, or the one that this request was sent to.

        The Host header is one of ours: the edge refuses every other.
        """
        scheme = b"https" if scope["scheme"] in {"https", "wss"} else b"http"
        return origin in {b"%b://%b" % (scheme, header(scope, b"host") or b""), self._public}

    def show(self, scope: Scope) -> bytes | None:
        """The origin of the page of ours that sends this request; None when none of ours does.

        Browsers say where a request comes from (Fetch: Origin on all but a same-origin GET, and
        Sec-Fetch-Site). Who says neither is no browser that we know.
        """
        sites = headers_named(scope, b"sec-fetch-site")
        if sites not in ([], [b"same-origin"]):
            return None
        origins = headers_named(scope, b"origin")
        if len(origins) == 1 and self.has(scope, origins[0]):
            return origins[0]
        if not origins and sites and scope["method"] in {"GET", "HEAD"}:
            scheme = b"https" if scope["scheme"] == "https" else b"http"
            return b"%b://%b" % (scheme, header(scope, b"host") or b"")
        return None
