"""One installation, two nodes: any request on any of them."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from nodes.pair import Pair
from nodes.watcher import watching
from runs.door import LIVE, Door, kinds, texts, whole
from support.client import ask

Doors = tuple[Door, Door]
SLOW = "PERF n=2000 i=20"
PARALLEL = 10


async def test_requests_when_each_goes_to_the_other_node_then_it_is_one_conversation(
    doors: Doors,
) -> None:
    here, there = doors
    session_id = await here.session(model="demo")
    for number in range(4):
        door = doors[number % 2]
        run_id = await door.say(session_id, f"think about the tide {number}")
        await doors[1 - number % 2].over(session_id, run_id)
    seen = [whole(await door.events(session_id)) for door in doors]
    stored = [[event for event in events if event["kind"] not in LIVE] for events in seen]
    assert stored[0] == stored[1]
    assert texts(seen[0]) == texts(seen[1])
    assert kinds(stored[0]).count("run.finished") == 4
    told = [await door.get(f"/v1/sessions/{session_id}/messages") for door in doors]
    assert told[0] == told[1]
    assert len(told[0]["messages"]) == 8
    listed = [await door.get("/v1/sessions") for door in doors]
    assert session_id in {each["id"] for each in listed[1]["sessions"]}
    answer = await there.call("DELETE", f"/v1/sessions/{session_id}")
    assert answer.status == 204
    await here.refused("GET", f"/v1/sessions/{session_id}", None, status=404)


async def test_people_when_they_sign_in_on_one_node_then_the_other_knows_them(
    pair: Pair, http: aiohttp.ClientSession
) -> None:
    first, second = (node.base_url for node in pair.nodes)
    person = {"email": "ada@example.org", "username": "ada", "password": "tide-over-7-piers"}
    made = await ask(http, "POST", f"{first}/v1/auth/register", json=person)
    assert made.status == 201, await made.text()
    signed_in = await ask(
        http,
        "POST",
        f"{second}/v1/auth/login",
        json={"email": "ada@example.org", "password": person["password"]},
    )
    tokens: dict[str, Any] = await signed_in.json()
    for base_url in (first, second):
        assert await _status(http, base_url, tokens["access_token"]) == 200
    body = {"refresh_token": tokens["refresh_token"]}
    refreshed = await ask(http, "POST", f"{first}/v1/auth/refresh", json=body)
    newer: dict[str, Any] = await refreshed.json()
    assert await _status(http, second, newer["access_token"]) == 200
    bearer = {"Authorization": f"Bearer {newer['access_token']}"}
    left = await ask(http, "POST", f"{second}/v1/auth/logout", headers=bearer, json={})
    assert left.status in {200, 204}, await left.text()
    async with asyncio.timeout(30):  # what was believed of a device is believed for seconds only
        while await _status(http, first, newer["access_token"]) != 401:
            await asyncio.sleep(0.1)


async def test_text_when_a_run_is_at_work_then_both_nodes_show_it_as_it_comes(
    pair: Pair, doors: Doors, http: aiohttp.ClientSession
) -> None:
    session_id = await doors[0].session(model="demo")
    first, second = pair.nodes
    async with (
        watching(http, first, session_id) as here,
        watching(http, second, session_id) as there,
    ):
        run_id = await doors[1].say(session_id, SLOW)
        for watcher in (here, there):
            await watcher.until_text(100)
            assert not watcher.events("message.completed")
        await doors[0].post(f"/v1/runs/{run_id}/stop")
        for watcher in (here, there):
            await watcher.until_kind("run.finished")
        assert here.client.knows() == there.client.knows()
        assert here.client.resets == there.client.resets == 0


@pytest.mark.parametrize("asked", [0, 1])
async def test_stop_when_asked_on_either_node_then_the_run_ends(
    doors: Doors, pair: Pair, http: aiohttp.ClientSession, asked: int
) -> None:
    session_id = await doors[0].session(model="demo")
    async with watching(http, pair.nodes[0], session_id) as watcher:
        run_id = await doors[0].say(session_id, SLOW)
        await watcher.until_text()
        await doors[asked].post(f"/v1/runs/{run_id}/stop")
        assert (await watcher.until_kind("run.finished"))["status"] == "stopped"


@pytest.mark.requirement("F24")
async def test_approval_when_answered_on_both_nodes_at_once_then_one_answer_wins(
    doors: Doors,
) -> None:
    here, there = doors
    session_id = await here.session(model="demo", permission_mode="default")
    run_id = await there.say(session_id, "run: echo ahoy")
    await here.until(session_id, "run.paused")
    asked = (await there.get("/v1/approvals?status=requested"))["approvals"]
    (question,) = [each for each in asked if each["session_id"] == session_id]
    path, body = f"/v1/approvals/{question['id']}", {"decision": "approve", "scope": "once"}
    answers = await asyncio.gather(
        *(door.call("POST", path, body) for _ in range(PARALLEL) for door in doors)
    )
    assert sorted(answer.status for answer in answers) == [200] + [409] * (2 * PARALLEL - 1)
    events = await there.over(session_id, run_id)
    assert kinds(events).count("approval.approved") == 1
    assert kinds(events).count("tool.started") == 1
    assert "ahoy" in "".join(texts(events).values())


@pytest.mark.requirement("F24")
async def test_message_when_sent_to_both_nodes_with_one_key_then_one_run_is_made(
    doors: Doors, http: aiohttp.ClientSession
) -> None:
    here, _ = doors
    session_id = await here.session(model="demo")
    path, body = f"/v1/sessions/{session_id}/messages", {"content": "think about once"}
    for number in range(3):
        key = {"Idempotency-Key": f"{session_id}-{number}"}
        tries = [
            ask(
                http,
                "POST",
                door.server.base_url + path,
                headers=door.server.admin | key,
                json=body,
            )
            for _ in range(PARALLEL)
            for door in doors
        ]
        answers = [await answer.json() for answer in await asyncio.gather(*tries)]
        assert len({answer["run_id"] for answer in answers}) == 1
        await here.over(session_id, answers[0]["run_id"])
    assert kinds(await here.events(session_id)).count("run.queued") == 3


async def _status(http: aiohttp.ClientSession, base_url: str, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return (await ask(http, "GET", f"{base_url}/v1/auth/me", headers=headers)).status
