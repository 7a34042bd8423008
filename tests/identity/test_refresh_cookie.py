"""A page's refresh token: in a cookie that no script reads, and that no other page can use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from starlette.types import Scope

from homeport.identity.errors import CookieNeedsTLS, ForeignPage
from homeport.identity.refresh_cookie import RefreshCookies
from homeport.kernel.crypto import KeyRing
from homeport.kernel.ids import new_id
from support.client import ask
from support.server import Server

PASSWORD = "crimson-otter-plays-9-flutes"
NAME = "__Host-hp_rt"
METHODS = ("post", "put", "patch", "delete")


@dataclass(slots=True)
class Tab:
    """A page of the server's own, with the cookies that a browser would keep for it."""

    http: aiohttp.ClientSession
    base: str
    cookie: str | None = None

    async def send(
        self, method: str, path: str, *, headers: dict[str, str] | None = None, **more: Any
    ) -> aiohttp.ClientResponse:
        given = {"Origin": self.base, "Sec-Fetch-Site": "same-origin"} | (headers or {})
        if self.cookie is not None:
            given["Cookie"] = f"theme=dark; {NAME}={self.cookie}; other=1"
        answer = await ask(self.http, method, self.base + path, headers=given, **more)
        for line in answer.headers.getall("Set-Cookie", []):
            name, _, rest = line.partition("=")
            assert name == NAME
            self.cookie = rest.partition(";")[0] or None
        return answer

    async def csrf(self) -> str:
        answer = await self.send("GET", "/v1/auth/csrf")
        assert answer.status == 200
        return (await answer.json())["csrf_token"]


@pytest.fixture
async def tab(http: aiohttp.ClientSession, server: Server) -> Tab:
    """Somebody who has just registered in a page."""
    opened = Tab(http, server.base_url)
    name = f"tab-{new_id()}"
    body = {"email": f"{name}@example.com", "password": PASSWORD, "username": name}
    answer = await opened.send("POST", "/v1/auth/register?cookie=true", json=body)
    assert answer.status == 201
    assert (await answer.json())["refresh_token"] is None
    assert opened.cookie is not None
    return opened


@pytest.mark.requirement("34")
async def test_cookie_when_it_is_set_then_it_is_this_hosts_alone_and_no_script_reads_it(
    tab: Tab,
) -> None:
    assert tab.cookie is not None
    answer = await tab.send("POST", "/v1/auth/refresh", headers={"X-CSRF-Token": await tab.csrf()})
    lines = answer.headers.getall("Set-Cookie")
    assert len(lines) == 1
    first, *flags = [part.strip() for part in lines[0].split(";")]
    assert first == f"{NAME}={tab.cookie}"
    assert set(flags) >= {"Path=/", "Secure", "HttpOnly", "SameSite=Strict"}
    assert not any(flag.lower().startswith("domain") for flag in flags)
    ages = [int(flag.partition("=")[2]) for flag in flags if flag.startswith("Max-Age")]
    assert len(ages) == 1
    assert 0 < ages[0] <= 7 * 24 * 3600


async def test_refresh_when_it_is_by_cookie_then_the_token_is_in_no_answer(tab: Tab) -> None:
    before = tab.cookie
    answer = await tab.send("POST", "/v1/auth/refresh", headers={"X-CSRF-Token": await tab.csrf()})
    assert answer.status == 200
    body = await answer.json()
    assert body["refresh_token"] is None
    assert tab.cookie not in {None, before}
    bearer = {"Authorization": f"Bearer {body['access_token']}"}
    me = await ask(tab.http, "GET", f"{tab.base}/v1/auth/me", headers=bearer)
    assert me.status == 200


async def test_logout_when_the_browser_has_a_cookie_then_it_is_taken_away(tab: Tab) -> None:
    csrf = await tab.csrf()
    answer = await tab.send("POST", "/v1/auth/refresh", headers={"X-CSRF-Token": csrf})
    bearer = {"Authorization": f"Bearer {(await answer.json())['access_token']}"}
    kept = tab.cookie
    answer = await tab.send("POST", "/v1/auth/logout", headers=bearer)
    assert answer.status == 200
    assert tab.cookie is None
    tab.cookie = kept
    refused = await tab.send("POST", "/v1/auth/refresh", headers={"X-CSRF-Token": csrf})
    assert refused.status == 401


@pytest.mark.requirement("30")
@pytest.mark.parametrize(
    "elsewhere",
    [
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://sub.127.0.0.1", "Sec-Fetch-Site": "same-site"},
        {"Origin": "http://localhost:5173", "Sec-Fetch-Site": "same-site"},  # listed for CORS
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "", "Sec-Fetch-Site": ""},
    ],
    ids=["evil", "null", "sibling", "listed", "same-site", "typed", "empty"],
)
async def test_refresh_when_another_page_sends_the_cookie_then_nothing_happens(
    tab: Tab, elsewhere: dict[str, str]
) -> None:
    csrf, cookie = await tab.csrf(), tab.cookie
    for headers in (elsewhere | {"X-CSRF-Token": csrf}, elsewhere):
        full = {"Origin": "", "Sec-Fetch-Site": ""} | headers
        for kind in ("", "text/plain", "application/x-www-form-urlencoded"):
            form = full | ({"Content-Type": kind} if kind else {})
            data = "refresh_token=a" if kind else None
            answer = await tab.send("POST", "/v1/auth/refresh", headers=form, data=data)
            assert answer.status in ({403, 422} if kind else {403}), await answer.text()
            if answer.status == 403:
                assert (await answer.json())["error"]["code"] == "auth.csrf-refused"
        assert (await tab.send("GET", "/v1/auth/csrf", headers=full)).status == 403
    assert tab.cookie == cookie
    answer = await tab.send("POST", "/v1/auth/refresh", headers={"X-CSRF-Token": csrf})
    assert answer.status == 200, "the cookie was spent by a refused request"


@pytest.mark.requirement("30")
@pytest.mark.parametrize("shown", [None, "", "guessed", "x" * 43])
async def test_refresh_when_the_page_does_not_show_its_token_then_it_is_refused(
    tab: Tab, shown: str | None
) -> None:
    headers = {} if shown is None else {"X-CSRF-Token": shown}
    answer = await tab.send("POST", "/v1/auth/refresh", headers=headers)
    assert answer.status == 403


@pytest.mark.requirement("30")
async def test_refresh_when_the_token_is_another_sign_ins_then_it_is_refused(
    tab: Tab, http: aiohttp.ClientSession, server: Server
) -> None:
    other = Tab(http, server.base_url)
    name = f"tab-{new_id()}"
    body = {"email": f"{name}@example.com", "password": PASSWORD}
    await other.send("POST", "/v1/auth/register?cookie=true", json=body)
    headers = {"X-CSRF-Token": await other.csrf()}
    assert (await tab.send("POST", "/v1/auth/refresh", headers=headers)).status == 403


@pytest.mark.requirement("30")
async def test_route_when_a_request_has_only_the_cookie_then_it_is_nobody(tab: Tab) -> None:
    answer = await ask(tab.http, "GET", f"{tab.base}/openapi.json")
    paths: dict[str, dict[str, Any]] = (await answer.json())["paths"]
    closed = [
        (method, path.replace("{", "").replace("}", ""))
        for path, operations in paths.items()
        for method, operation in operations.items()
        if method in METHODS and operation.get("security")
    ]
    assert len(closed) > 30
    for method, path in closed:
        answer = await tab.send(method.upper(), path)
        assert answer.status == 401, (method, path, await answer.text())


async def test_request_when_it_has_a_credential_of_its_own_then_the_cookie_is_not_read(
    tab: Tab,
) -> None:
    csrf = await tab.csrf()
    headers = {"Authorization": "Bearer nonsense", "X-CSRF-Token": csrf}
    assert (await tab.send("POST", "/v1/auth/refresh", headers=headers)).status == 401
    answer = await tab.send("POST", "/v1/auth/refresh", headers={"X-CSRF-Token": csrf})
    assert answer.status == 200


async def test_login_when_another_page_asks_for_the_cookie_then_nobody_is_signed_in(
    tab: Tab,
) -> None:
    body = {"username": "anybody", "password": PASSWORD}
    for headers in (
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "", "Sec-Fetch-Site": ""},
    ):
        answer = await tab.send("POST", "/v1/auth/login?cookie=true", json=body, headers=headers)
        assert answer.status == 403
        assert "Set-Cookie" not in answer.headers


def scope(**headers: str) -> Scope:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "method": "POST", "scheme": "http", "headers": raw}


def test_page_when_it_is_known_by_the_public_address_then_it_is_our_own() -> None:
    cookies = RefreshCookies(KeyRing(b"x" * 32), public_url="https://port.example:8443")
    cookies.check_page(scope(host="10.0.0.1:8000", origin="https://port.example:8443"))
    for origin in ("http://port.example:8443", "https://port.example", "https://a.port.example"):
        with pytest.raises(ForeignPage):
            cookies.check_page(scope(host="10.0.0.1:8000", origin=origin))


@pytest.mark.parametrize("host", ["box.example:8000", "10.0.0.1:8000", "localhost.example"])
def test_page_when_it_has_no_tls_and_is_not_on_this_machine_then_it_says_why(host: str) -> None:
    cookies = RefreshCookies(KeyRing(b"x" * 32), public_url=None)
    with pytest.raises(CookieNeedsTLS):
        cookies.check_page(scope(host=host, origin=f"http://{host}"))
    cookies.check_page(scope(host="[::1]:8000", origin="http://[::1]:8000"))
