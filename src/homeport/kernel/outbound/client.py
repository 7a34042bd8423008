"""The guarded HTTP client. Every request of the server to the outside goes through one of these."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Self
from urllib.parse import urljoin

from aiohttp import (
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    TCPConnector,
    ThreadedResolver,
)
from aiohttp.abc import AbstractResolver

from homeport.kernel.outbound.allow import AllowList
from homeport.kernel.outbound.answer import Answer, Fetched, describe
from homeport.kernel.outbound.errors import (
    OutboundBlocked,
    OutboundFailed,
    OutboundTimedOut,
)
from homeport.kernel.outbound.resolver import GuardedResolver
from homeport.kernel.outbound.target import Target, read_target

REDIRECTS = frozenset({301, 302, 303, 307, 308})
# What may follow a redirect to another origin: anything not listed could be a credential.
HARMLESS = frozenset({"accept", "accept-language", "user-agent"})
# These describe one connection or one body, and belong to whoever writes that.
CONNECTION_HEADERS = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "accept-encoding", "expect"}
)
MEBIBYTE = 1 << 20
# Makes a socket for (family, type, protocol, canonical name, address) of `getaddrinfo`.
SocketFactory = Callable[[tuple[int, int, int, str, tuple[Any, ...]]], socket.socket]


class Outbound:
    """An HTTP client that calls the public internet, and besides it only what `allow` lists.

    It resolves a name once and dials what it vetted, checks every hop of a redirect again, sends
    credentials to one origin only, keeps no cookies, and reads no proxy from the environment. Make
    one per purpose: what is listed for the model provider's base URL must not be reachable through
    a URL that a user types.

    Args:
        allow: The operator's exceptions; see `AllowList`.
        resolver: Answers look-ups instead of the system's resolver.
        connect_timeout_s: Seconds for look-up, connection and TLS together.
        max_redirects: Hops that are followed.
        socket_factory: Makes the sockets, for a machine that must bind them to an interface.

    Raises:
        ValueError: An entry of `allow` cannot be read.
    """

    def __init__(
        self,
        *,
        allow: Iterable[str] = (),
        resolver: AbstractResolver | None = None,
        connect_timeout_s: float = 5.0,
        max_redirects: int = 3,
        socket_factory: SocketFactory | None = None,
    ) -> None:
        self._allow = AllowList(allow)
        self._resolver = resolver
        self._connect_timeout_s = connect_timeout_s
        self._max_redirects = max_redirects
        self._socket_factory = socket_factory
        self._session: ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        idle_timeout_s: float = 60.0,
        max_bytes: int | None = None,
    ) -> AsyncGenerator[Answer, None]:
        """Sends a request and yields the answer, whatever its status; no limit on the total time.

        Leaving the block before the body's end closes the connection, which is what cancels the
        work on the other side.

        Args:
            method: The HTTP method.
            url: An absolute URL.
            headers: What to send; headers of the connection itself are dropped.
            body: What to send.
            idle_timeout_s: Seconds without a byte, before the first one and between any two.
            max_bytes: The most that `Answer` reads; None for no limit.

        Raises:
            OutboundBlocked: The guard refuses the URL, its address, or a redirect.
            OutboundFailed: No connection, or it broke before the answer's head.
            OutboundTimedOut: No connection or no head in time.
        """
        given: Mapping[str, str] = {} if headers is None else headers
        response = await self._follow(method.upper(), url, given, body, idle_timeout_s)
        try:
            yield Answer(response, max_bytes=max_bytes)
        finally:
            if response.content.is_eof():
                response.release()
            else:
                response.close()

    async def fetch(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout_s: float = 30.0,
        max_bytes: int = 10 * MEBIBYTE,
    ) -> Fetched:
        """Sends a request and reads the answer to its end, whatever its status.

        Args:
            method: The HTTP method.
            url: An absolute URL.
            headers: What to send.
            body: What to send.
            timeout_s: Seconds for all of it.
            max_bytes: The most that is read.

        Raises:
            OutboundError: As `stream` and `Answer.next_chunk`.
        """
        try:
            async with (
                asyncio.timeout(timeout_s),
                self.stream(
                    method,
                    url,
                    headers=headers,
                    body=body,
                    idle_timeout_s=timeout_s,
                    max_bytes=max_bytes,
                ) as answer,
            ):
                return Fetched(answer.status, answer.headers, await answer.read(), answer.url)
        except TimeoutError as error:
            raise OutboundTimedOut from error

    async def close(self) -> None:
        """Closes every connection; the client can be used again afterwards."""
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    async def _follow(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        idle_timeout_s: float,
    ) -> ClientResponse:
        target = read_target(url, self._allow)
        sent: dict[str, str] = {
            name: value for name, value in headers.items() if name.lower() not in CONNECTION_HEADERS
        }
        for _ in range(self._max_redirects + 1):
            response = await self._send(method, target, sent, body, idle_timeout_s)
            location = response.headers.get("Location")
            if response.status not in REDIRECTS or location is None:
                return response
            response.close()
            next_target = read_target(urljoin(str(target.url), location), self._allow)
            method, body = _next_request(response.status, method, body)
            if next_target.origin != target.origin:
                if body is not None:
                    raise OutboundBlocked("A redirect would send the body to another server.")
                sent = {n: v for n, v in sent.items() if n.lower() in HARMLESS}
            target = next_target
        raise OutboundBlocked(f"More than {self._max_redirects} redirects.")

    async def _send(
        self,
        method: str,
        target: Target,
        headers: Mapping[str, str],
        body: bytes | None,
        idle_timeout_s: float,
    ) -> ClientResponse:
        timeout = ClientTimeout(
            total=None,
            connect=self._connect_timeout_s,
            sock_connect=self._connect_timeout_s,
            sock_read=idle_timeout_s,
        )
        try:
            return await self._open_session().request(
                method,
                target.url,
                headers=headers,
                data=body,
                timeout=timeout,
                allow_redirects=False,
            )
        except TimeoutError as error:
            raise OutboundTimedOut(f"{target.host} did not answer in time.") from error
        except (ClientError, OSError, ValueError) as error:
            raise OutboundFailed(
                f"{target.host} could not be reached: {describe(error)}."
            ) from error

    def _open_session(self) -> ClientSession:
        if self._session is None:
            connector = TCPConnector(
                resolver=GuardedResolver(self._resolver or ThreadedResolver(), self._allow),
                use_dns_cache=False,
                limit=0,
                socket_factory=self._socket_factory,
            )
            self._session = ClientSession(
                connector=connector,
                cookie_jar=DummyCookieJar(),
                trust_env=False,
                # A compressed answer could grow without limit, and delays the pieces of a stream.
                headers={"Accept-Encoding": "identity"},
            )
        return self._session


def _next_request(status: int, method: str, body: bytes | None) -> tuple[str, bytes | None]:
    """Method and body after a redirect (RFC 9110, 15.4)."""
    keeps = status in {307, 308} or method in {"GET", "HEAD"}
    return (method, body) if keeps else ("GET", None)
