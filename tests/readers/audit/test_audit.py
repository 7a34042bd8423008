"""The trail: who may read what of it, and how it is asked."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from readers.api import Api, admin_of
from support.server import Server

SECRET = "the parrot flies at noon"


@pytest.mark.requirement("60")
async def test_trail_when_read_then_auditors_see_all_but_words_and_others_their_own(
    server: Server,
) -> None:
    async with admin_of(server) as admin:
        eve = await admin.somebody_else()
        refused = await eve.call("GET", "/v1/audit/events")
        assert (refused.status, refused.code) == (403, "auth.role-required")
        assert (await eve.call("GET", "/v1/audit/head")).status == 403
        me = (await eve.get("/v1/auth/me"))["id"]
        own = (await eve.get("/v1/audit/me"))["events"]
        assert {each["stream"] for each in own} == {f"account:{me}"}
        assert own[-1]["kind"] == "account.created"

        session_id = await eve.session(name=SECRET)
        await eve.say(session_id, SECRET)
        stream = quote(f"session:{session_id}")
        page = await admin.get(f"/v1/audit/events?stream={stream}")
        assert page["events"][-1]["kind"] == "session.created"
        assert {each["payload"] for each in page["events"]} == {None}
        assert SECRET not in repr(page)

        mine = f"/v1/audit/events?actor={quote(f'user:{me}')}"
        page = await admin.get(f"{mine}&kind=account.created")
        (created,) = page["events"]
        assert (created["payload"]["user_id"], created["erased"]) == (me, False)
        assert (page["total"], page["next_cursor"]) == (1, None)
        assert (await admin.get(f"{mine}&to={quote(created['at'])}"))["events"] == []
        later = await admin.get(f"{mine}&from={quote(created['at'])}&kind=account.created")
        assert later["events"] == [created]


async def test_trail_when_it_is_paged_then_each_event_comes_once(server: Server) -> None:
    async with admin_of(server) as admin:
        whole = await pages(admin, "/v1/audit/events?to=2999-01-01T00:00:00Z&kind=account.created")
        assert whole == sorted(set(whole), reverse=True)
        head = await admin.get("/v1/audit/head")
        assert head["position"] >= whole[0]
        assert head["sealed"] <= head["position"]
        bad = await admin.call("GET", "/v1/audit/events?from=yesterday")
        assert bad.status == 422


async def pages(api: Api, path: str) -> list[int]:
    positions: list[int] = []
    cursor = ""
    while True:
        page = await api.get(f"{path}&limit=2{cursor}")
        positions += [each["position"] for each in page["events"]]
        if page["next_cursor"] is None:
            return positions
        cursor = f"&cursor={page['next_cursor']}"
