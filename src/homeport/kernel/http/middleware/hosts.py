"""Answers only to names that are ours: no page elsewhere can rebind its own name to this server."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from homeport.kernel.errors import Invalid
from homeport.kernel.http.middleware.exchange import headers_named

HOST_PATTERN = re.compile(rb"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::\d{1,5})?")
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
ANY_ADDRESS = frozenset({"0.0.0.0", "::", "[::]"})  # noqa: S104 - compared with, not bound


class HostRefused(Invalid):
    """The Host header names somebody else."""

    code = "request.host-refused"
    title = "This server does not answer to that name"


class Hosts:
    """Refuses requests whose Host is missing, doubled, malformed or not ours.

    Args:
        app: What to protect.
        listen: The address that the server listens on; when it is every address, any address
            (not any name: only a name can be rebound) is ours.
        public_url: The address that people see.
        trusted: More names; `*.example.com` stands for every name below it.
        probes: Paths that answer to HTTP/1.0 without a Host, which is whole without one (RFC 9112,
            3.2); simple load balancers ask so, and no page can.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        listen: str,
        public_url: str | None,
        trusted: Iterable[str],
        probes: frozenset[str] = frozenset(),
    ) -> None:
        self._app = app
        self._probes = probes
        self._any_address = listen in ANY_ADDRESS
        names = {*LOOPBACK, _bracketed(listen), *trusted}
        if public_url is not None:
            names.add(_bracketed(urlsplit(public_url).hostname or ""))
        lowered = {name.lower().rstrip(".") for name in names if name}
        self._exact = frozenset(name for name in lowered if not name.startswith("*."))
        self._below = tuple(name[1:] for name in lowered if name.startswith("*."))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request.

        Raises:
            HostRefused: The Host header is not ours.
        """
        if scope["type"] != "lifespan":
            given = headers_named(scope, b"host")
            if given or not self._is_probe(scope):
                self._check(given)
        await self._app(scope, receive, send)

    def _is_probe(self, scope: Scope) -> bool:
        http_1_0 = scope["type"] == "http" and scope["http_version"] == "1.0"
        return http_1_0 and scope["path"] in self._probes

    def _check(self, given: list[bytes]) -> None:
        found = HOST_PATTERN.fullmatch(given[0]) if len(given) == 1 else None
        if found is None:
            raise HostRefused("Send one well-formed Host header.")
        name = found[1].decode().lower().rstrip(".")
        if name in self._exact or name.endswith(self._below):
            return
        if self._any_address and _is_address(name):
            return
        raise HostRefused("Add the name to TRUSTED_HOSTS, or set PUBLIC_URL, to be reached by it.")


def _bracketed(name: str) -> str:
    return f"[{name}]" if ":" in name and not name.startswith("[") else name


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
