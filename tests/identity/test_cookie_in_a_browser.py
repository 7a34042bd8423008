"""A sign-in by cookie in a real browser: it keeps the cookie, and no other page has any use of it."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import urlsplit

import pytest

from homeport.kernel.ids import new_id
from support.browser import PATIENCE_S, Page
from support.listener import listening
from support.server import Server

pytestmark = pytest.mark.browser

STAYS = """
(async () => {
    const send = (path, more) => fetch("/v1/auth/" + path, {method: "POST", ...more});
    const registered = await send("register?cookie=true", {
        headers: {"Content-Type": "application/json"}, body: JSON.stringify(%s)
    });
    const seen = [registered.status, (await registered.json()).refresh_token];
    const bare = await send("refresh");
    const {csrf_token} = await (await fetch("/v1/auth/csrf")).json();
    const refreshed = await send("refresh", {headers: {"X-CSRF-Token": csrf_token}});
    const {access_token, refresh_token} = await refreshed.json();
    const me = await fetch("/v1/auth/me", {headers: {Authorization: "Bearer " + access_token}});
    return [...seen, bare.status, refreshed.status, refresh_token, me.status, document.cookie];
})()
"""

ELSEWHERE = """
(async () => {
    const base = %s + "/v1/auth/";
    const send = (path, more) => fetch(base + path, {credentials: "include", ...more})
        .then(answer => answer.status, () => "unread");
    const unread = [
        await send("csrf"),
        await send("csrf", {mode: "no-cors"}),
        await send("refresh", {method: "POST"}),
        await send("refresh", {method: "POST", mode: "no-cors"}),
        await send("register?cookie=true", {method: "POST", mode: "no-cors", body: "{}"}),
    ];
    return unread.every(one => one === "unread");
})()
"""
REFRESHES = """
(async () => {
    const {csrf_token} = await (await fetch("/v1/auth/csrf")).json();
    const more = {method: "POST", headers: {"X-CSRF-Token": csrf_token}};
    return (await fetch("/v1/auth/refresh", more)).status;
})()
"""
TRIES = 5
BLANK = b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 15\r\n\r\n<!doctype html>"


def somebody() -> dict[str, str]:
    return {"email": f"{new_id()}@example.com", "password": "crimson-otter-plays-9-flutes"}


async def served(server: Server, *, since: int) -> list[tuple[str, object]]:
    """What became of the tries, in their order; a request is written down behind its answer."""
    async with asyncio.timeout(PATIENCE_S):
        while len(found := tried(server.log_events("request.served")[since:])) < TRIES:
            await asyncio.sleep(0.02)
    return found


def tried(lines: list[dict[str, object]]) -> list[tuple[str, object]]:
    named = [(str(line["path"]).rpartition("/")[2], line["status"]) for line in lines]
    return [(name, status) for name, status in named if name in {"csrf", "refresh", "register"}]


@pytest.mark.requirement("30")
@pytest.mark.requirement("34")
async def test_page_when_it_signs_in_by_cookie_then_it_stays_signed_in_and_reads_no_token(
    page: Page, server: Server
) -> None:
    await page.open(f"{server.base_url}/docs")
    found = await page.evaluate(STAYS % json.dumps(somebody()))
    assert found == [201, None, 403, 200, None, 200, ""]


@pytest.mark.requirement("30")
@pytest.mark.requirement("31")
async def test_cookie_when_a_page_elsewhere_uses_it_then_it_reads_and_spends_nothing(
    page: Page, server: Server
) -> None:
    await page.open(f"{server.base_url}/docs")
    assert (await page.evaluate(STAYS % json.dumps(somebody())))[3] == 200
    tries = ELSEWHERE % json.dumps(server.base_url)
    async with listening(lambda _: BLANK) as elsewhere:
        # Another port is the same site: the browser adds even a SameSite=Strict cookie (403, not
        # 401), and the server refuses the page. Another name is another site: it does not.
        for host, code in (("127.0.0.1", 403), ("localhost", 401)):
            before = len(server.log_events("request.served"))
            await page.open(f"http://{host}:{urlsplit(elsewhere.origin).port}/")
            assert await page.evaluate(tries) is True
            assert await served(server, since=before) == [
                ("csrf", 403),
                ("csrf", 403),
                ("refresh", code),
                ("refresh", code),
                ("register", 403),
            ]
    await page.open(f"{server.base_url}/docs")
    assert await page.evaluate(REFRESHES) == 200
