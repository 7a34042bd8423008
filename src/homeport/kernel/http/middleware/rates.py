"""How many requests may come: per address first, then per account once it is known.

Two quotas hold for a request. Its address as a whole: a network's worth of people and programs.
And who it is from: an account, however many devices and keys it uses; the address again while
nobody has proved anything. What opens a stream is counted apart, and what is good for one token or
code is counted under that (`count_token`), because a network may hold many of them. What takes or
gives a credential has a stricter quota of its own: for a route, and an address.

`RateLimit` and `RateLimit-Policy` follow draft-ietf-httpapi-ratelimit-headers-10 (structured
fields), the `X-RateLimit-*` are GitHub's: their reset is a time in seconds since 1970.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final, NamedTuple

from starlette.types import ASGIApp, Receive, Scope, Send

from homeport.kernel import clock
from homeport.kernel.errors import RateLimited
from homeport.kernel.http.middleware.exchange import Headers, add_headers_at_start
from homeport.kernel.http.provide import Services
from homeport.kernel.network import network_of
from homeport.kernel.rates import Counters, Tally

ADDRESS_FACTOR: Final = 10
"""An address may send as much as so many accounts."""
RATED: Final = "homeport.rated"
_CREDENTIALS: Final = frozenset({b"authorization", b"x-api-key"})


@dataclass(frozen=True, slots=True)
class RatePolicy:
    """How many of each there may be in a period.

    Attributes:
        requests: Of an account, and of an address without a credential.
        streams: Opened by an account; long-polls are streams.
        tokens: Attempts with one refresh token.
        credentials: Of an address, to each route that takes or gives a credential.
        period: Seconds.
    """

    requests: int = 100
    streams: int = 600
    tokens: int = 60
    credentials: int = 20
    period: int = 60


class Quota(NamedTuple):
    """A limit by the name that the headers give it, and the key that it is counted under."""

    name: str
    key: str
    limit: int


class RateLimiter:
    """The policy and the counters of one process; `wiring` provides it.

    Args:
        counters: Count in windows of `policy.period` seconds.
    """

    def __init__(self, policy: RatePolicy, counters: Counters) -> None:
        self.policy = policy
        self.counters = counters


class Rated:
    """What is counted for one request, and told in its answer.

    Args:
        credential: The route, when it takes or gives a credential.
    """

    __slots__ = ("_credential", "_limiter", "_network", "_stream", "_told")

    def __init__(
        self, limiter: RateLimiter, scope: Scope, *, stream: bool, credential: str | None
    ) -> None:
        client = scope.get("client")
        self._credential = credential
        self._limiter = limiter
        self._stream = stream
        self._network = network_of(client[0]) if client else ""
        self._told: list[tuple[Quota, Tally]] = []
        add_headers_at_start(scope, self.headers)

    async def arrived(self, *, anonymous: bool, own_count: bool) -> None:
        """Counts a request that came in.

        Args:
            anonymous: It asks nobody who they are, or shows no credential.
            own_count: Something in it has a count of its own.

        Raises:
            RateLimited: There are too many from its address.
        """
        kind = "address-streams" if self._stream else "address"
        quotas = [Quota(kind, f"{kind}:{self._network}", self._each * ADDRESS_FACTOR)]
        if not own_count:
            quotas += self._strict()
        if anonymous and not own_count:
            quotas.append(self._anonymous)
        await self._count(*quotas)

    async def proved_nothing(self) -> None:
        """Counts a request whose credential, token or code was refused as the anonymous one it is.

        Raises:
            RateLimited: There are too many of them from its address.
        """
        await self._count(*self._strict(), self._anonymous)

    async def is_from(self, account: str) -> None:
        """Counts a request for the account that it is from.

        Raises:
            RateLimited: There are too many.
        """
        kind = "account-streams" if self._stream else "account"
        await self._count(Quota(kind, f"{kind}:{account}", self._each))

    async def is_with(self, token: str) -> None:
        """Counts a request for the one token or code that it is good for.

        Raises:
            RateLimited: There are too many.
        """
        await self._count(Quota("token", f"token:{token}", self._limiter.policy.tokens))

    async def is_told(self, account: str, *, opens: bool) -> None:
        """Counts a command on a socket as a request of its account; no header tells of it.

        Args:
            opens: It opens one more stream, and counts as that.

        Raises:
            RateLimited: There are too many.
        """
        policy, kind = self._limiter.policy, "account-streams" if opens else "account"
        limit = policy.streams if opens else policy.requests
        quota = Quota(kind, f"{kind}:{account}", limit)
        (tally,) = await self._limiter.counters.count([quota.key])
        self._check(quota, tally)

    def headers(self) -> Headers:
        """What the answer says: all quotas in the standard's fields, the nearest in GitHub's."""
        told, period = self._told, self._limiter.policy.period
        if not told:
            return []
        policies = ", ".join(f'"{quota.name}";q={quota.limit};w={period}' for quota, _ in told)
        states = ", ".join(
            f'"{quota.name}";r={_left(quota, tally)};t={math.ceil(tally.resets_in)}'
            for quota, tally in told
        )
        quota, tally = min(told, key=lambda pair: _left(*pair))
        reset = math.ceil(clock.utc_now().timestamp() + tally.resets_in)
        return [
            (b"ratelimit-policy", policies.encode()),
            (b"ratelimit", states.encode()),
            (b"x-ratelimit-limit", b"%d" % quota.limit),
            (b"x-ratelimit-remaining", b"%d" % _left(quota, tally)),
            (b"x-ratelimit-reset", b"%d" % reset),
        ]

    @property
    def _each(self) -> int:
        policy = self._limiter.policy
        return policy.streams if self._stream else policy.requests

    @property
    def _anonymous(self) -> Quota:
        return Quota("anonymous", f"anonymous:{self._network}", self._limiter.policy.requests)

    def _strict(self) -> list[Quota]:
        """The quota of a route with credentials, once in a request."""
        route, self._credential = self._credential, None
        if route is None:
            return []
        key = f"credentials:{route}:{self._network}"
        return [Quota("credentials", key, self._limiter.policy.credentials)]

    async def _count(self, *quotas: Quota) -> None:
        tallies = await self._limiter.counters.count([quota.key for quota in quotas])
        self._told += zip(quotas, tallies, strict=True)
        for quota, tally in self._told:
            self._check(quota, tally)

    def _check(self, quota: Quota, tally: Tally) -> None:
        if tally.hits > quota.limit:
            raise RateLimited(
                f"{quota.limit} in {self._limiter.policy.period} s are allowed ({quota.name}).",
                retry_after=tally.resets_in,
                quota=quota.name,
                limit=quota.limit,
            )


class Rates:
    """Counts what comes in and refuses what is too much, before its body is read.

    Args:
        app: What to protect.
        exempt: Paths that are not counted.
        public: Paths that ask nobody who they are: a credential there is never looked at, so
            whoever sends one has proved nothing.
        streams: Paths that open a stream; so does every WebSocket.
        with_token: Paths that count for themselves under what they are sent (`count_token`).
        credentials: Routes, as `POST /path`, that take or give a credential.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        exempt: frozenset[str],
        public: re.Pattern[str],
        streams: re.Pattern[str],
        with_token: frozenset[str],
        credentials: frozenset[str],
    ) -> None:
        self._app = app
        self._exempt = exempt
        self._public = public
        self._streams = streams
        self._with_token = with_token
        self._credentials = credentials

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request or WebSocket.

        Raises:
            RateLimited: There are too many.
        """
        if scope["type"] != "lifespan" and scope["path"] not in self._exempt:
            services: Services = scope["app"].state.services
            stream = self._is_stream(scope)
            rated = scope[RATED] = Rated(
                services.get(RateLimiter), scope, stream=stream, credential=self._route(scope)
            )
            own_count = stream or scope["path"] in self._with_token
            await rated.arrived(anonymous=self._is_nobodys(scope), own_count=own_count)
        await self._app(scope, receive, send)

    def _route(self, scope: Scope) -> str | None:
        route = f"{scope.get('method', 'WS')} {scope['path']}"
        return route if route in self._credentials else None

    def _is_nobodys(self, scope: Scope) -> bool:
        if self._public.fullmatch(scope["path"]) is not None:
            return True
        return not any(name in _CREDENTIALS for name, _ in scope["headers"])

    def _is_stream(self, scope: Scope) -> bool:
        if scope["type"] == "websocket":
            return True
        return scope["method"] == "GET" and self._streams.fullmatch(scope["path"]) is not None


async def count_account(scope: Scope, account: str) -> None:
    """Counts this request for `account`; nothing where requests are not counted.

    Raises:
        RateLimited: There are too many.
    """
    rated: Rated | None = scope.get(RATED)
    if rated is not None:
        await rated.is_from(account)


async def count_command(scope: Scope, account: str, *, opens: bool = False) -> None:
    """Counts a command that came on this WebSocket as a request of `account`.

    Args:
        opens: It opens one more stream, and counts as that.

    Raises:
        RateLimited: There are too many.
    """
    rated: Rated | None = scope.get(RATED)
    if rated is not None:
        await rated.is_told(account, opens=opens)


async def count_nobody(scope: Scope) -> None:
    """Counts this request, which proved nothing; nothing where requests are not counted.

    Raises:
        RateLimited: There are too many.
    """
    rated: Rated | None = scope.get(RATED)
    if rated is not None:
        await rated.proved_nothing()


async def count_token(scope: Scope, token: str) -> None:
    """Counts this request for the one token or code that it shows; its id, not its secret.

    Raises:
        RateLimited: There are too many.
    """
    rated: Rated | None = scope.get(RATED)
    if rated is not None:
        await rated.is_with(token)


def _left(quota: Quota, tally: Tally) -> int:
    return max(0, quota.limit - tally.hits)
