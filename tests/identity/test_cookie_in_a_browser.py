"""A sign-in by cookie in a real browser: it keeps the cookie, and its scripts never see it."""

from __future__ import annotations

import json

import pytest

from homeport.kernel.ids import new_id
from support.browser import Page
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


@pytest.mark.requirement("30")
@pytest.mark.requirement("34")
async def test_page_when_it_signs_in_by_cookie_then_it_stays_signed_in_and_reads_no_token(
    page: Page, server: Server
) -> None:
    await page.open(f"{server.base_url}/docs")
    body = {"email": f"{new_id()}@example.com", "password": "crimson-otter-plays-9-flutes"}
    found = await page.evaluate(STAYS % json.dumps(body))
    assert found == [201, None, 403, 200, None, 200, ""]
