"""The refresh token of a page: in a cookie that no script reads, read by two routes only.

    POST /v1/auth/login?cookie=true    puts it there, and into no answer
    GET  /v1/auth/csrf                 tells a page of ours what it has to show beside it
    POST /v1/auth/refresh              takes it, from a page of ours that shows that

A browser adds a cookie to whatever page asks. So what asks must be a page of this very server
(Origin, Sec-Fetch-Site) and know a token that only such a page can read (OWASP's signed double
submit). A request with a credential of its own is judged by that, and its cookie is not read.
"""

from __future__ import annotations

import hmac
from typing import Annotated, Final
from urllib.parse import urlsplit

from fastapi import Depends, Query
from starlette.requests import HTTPConnection
from starlette.types import Scope

from homeport.identity.errors import CookieNeedsTLS, ForeignPage, RefreshRefused
from homeport.identity.mint import TokenPair
from homeport.identity.opaque import encoded_secret
from homeport.identity.schemas import TokenView
from homeport.kernel.crypto import KeyRing
from homeport.kernel.http.middleware.exchange import add_headers, headers_named
from homeport.kernel.http.middleware.origins import OwnPages
from homeport.kernel.http.provide import services_of

NAME: Final = "__Host-hp_rt"
CSRF_HEADER: Final = "x-csrf-token"
# The prefix __Host- binds the cookie to this host, to TLS and to the whole path (RFC 6265bis).
_FLAGS: Final = "Path=/; Secure; HttpOnly; SameSite=Strict"
_PURPOSE: Final = "csrf-tokens"
# Browsers keep Secure cookies of these without TLS.
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


class RefreshCookies:
    """Gives and takes the cookie.

    Args:
        public_url: The address that people see, where it differs from the one that is called.
    """

    def __init__(self, keyring: KeyRing, *, public_url: str | None) -> None:
        self._keyring = keyring
        self._own = OwnPages(public_url)

    def csrf_token(self, device_id: str) -> str:
        """What a page of this sign-in shows beside its cookie; the same as long as it lasts."""
        return encoded_secret(self._keyring.mac(_PURPOSE, device_id))

    def check_page(self, scope: Scope) -> None:
        """Lets a request through that a page of this server sends.

        Raises:
            ForeignPage: Another one sends it, or none.
            CookieNeedsTLS: A browser would not keep the cookie.
        """
        origin = self._own.show(scope)
        if origin is None:
            raise ForeignPage
        page = urlsplit(origin.decode("latin-1"))
        if page.scheme != "https" and page.hostname not in _LOOPBACK:
            raise CookieNeedsTLS

    def check_token(self, scope: Scope, device_id: str) -> None:
        """Lets a request through that shows the token of this sign-in.

        Raises:
            ForeignPage: It does not.
        """
        shown = headers_named(scope, CSRF_HEADER.encode())
        known = (encoded_secret(mac) for mac in self._keyring.macs(_PURPOSE, device_id))
        if len(shown) != 1 or not any(
            hmac.compare_digest(shown[0], token.encode()) for token in known
        ):
            raise ForeignPage("Send what GET /v1/auth/csrf says as X-CSRF-Token.")

    def keep(self, scope: Scope, pair: TokenPair) -> None:
        """Puts the refresh token into the cookie."""
        self._set(scope, pair.refresh_token, pair.refresh_expires_in)

    def drop_from(self, scope: Scope) -> None:
        """Takes the cookie away from a browser that has one; it is not looked at."""
        if cookies_in(scope):
            self._set(scope, "", 0)

    def _set(self, scope: Scope, value: str, seconds: int) -> None:
        cookie = f"{NAME}={value}; Max-Age={seconds}; {_FLAGS}"
        add_headers(scope, (b"set-cookie", cookie.encode()))


class Handing:
    """How a sign-in's tokens are handed over: in the answer, or the refresh token in the cookie."""

    def __init__(self, scope: Scope, cookies: RefreshCookies | None) -> None:
        self._scope = scope
        self._cookies = cookies

    def over(self, pair: TokenPair) -> TokenView:
        """The tokens as they travel."""
        view = TokenView.of(pair)
        if self._cookies is None:
            return view
        self._cookies.keep(self._scope, pair)
        return view.model_copy(update={"refresh_token": None})


async def _handing(
    connection: HTTPConnection,
    cookie: Annotated[  # noqa: FBT002 - a query parameter
        bool,
        Query(
            description="For pages of this server: the refresh token goes into a cookie that no "
            "script can read, and is null in the answer"
        ),
    ] = False,
) -> Handing:
    """How this request wants its tokens.

    Raises:
        ForeignPage: The cookie is asked for by a page of somebody else, or by none.
        CookieNeedsTLS: A browser would not keep it.
    """
    if not cookie:
        return Handing(connection.scope, None)
    cookies: RefreshCookies = services_of(connection).get(RefreshCookies)
    cookies.check_page(connection.scope)
    return Handing(connection.scope, cookies)


HandOver = Annotated[Handing, Depends(_handing)]


async def _presented(connection: HTTPConnection) -> str | None:
    """The refresh token in the cookie of a page of ours; None where there is no cookie to read.

    Raises:
        ForeignPage: The cookie came from elsewhere.
        RefreshRefused: It came twice.
    """
    if "authorization" in connection.headers or "x-api-key" in connection.headers:
        return None
    values = cookies_in(connection.scope)
    if not values:
        return None
    cookies: RefreshCookies = services_of(connection).get(RefreshCookies)
    cookies.check_page(connection.scope)
    if len(values) > 1:
        raise RefreshRefused
    return values[0]


CookieToken = Annotated[str | None, Depends(_presented)]


def cookies_in(scope: Scope) -> list[str]:
    """Every value that the request's cookies give our name; by name, exactly (RFC 6265 4.2)."""
    pairs = b"; ".join(headers_named(scope, b"cookie")).decode("latin-1").split(";")
    named = [pair.strip().partition("=") for pair in pairs]
    return [value for name, _, value in named if name == NAME]
