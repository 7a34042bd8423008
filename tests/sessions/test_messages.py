"""What is said over HTTP, and how it is read again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from homeport.dispatch import Claim
from homeport.dispatch.lease import fenced
from homeport.eventlog.catalogue.message import MessageStarted
from homeport.kernel.ids import new_id
from homeport.sessions.models import SessionRow
from homeport.sessions.service import journal
from sessions.agent import Agent, hang
from sessions.door import ONE_DATABASE, Door, eventually

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


async def test_say_when_sent_then_it_is_answered_and_both_are_read(door: Door) -> None:
    session_id = await door.session()
    sent = await door.call("POST", f"/sessions/{session_id}/messages", {"content": "Ahoy"})
    assert sent.status == 202
    assert set(sent.json) == {"message_id", "run_id", "cursor"}
    await door.until(sent.json["run_id"], "finished")
    page = await door.get(f"/sessions/{session_id}/messages")
    assert (page["total"], page["session_id"], page["next_cursor"]) == (2, session_id, None)
    mine, answer = page["messages"]
    assert mine["id"] == sent.json["message_id"]
    assert (mine["role"], mine["content"], mine["status"]) == ("user", "Ahoy", "completed")
    assert mine["blocks"] == [{"type": "text", "text": "Ahoy"}]
    assert mine["seq"] > int(sent.json["cursor"])
    assert mine["run_id"] == answer["run_id"] == sent.json["run_id"]
    assert (answer["role"], answer["content"], answer["token_count"]) == ("assistant", "Aye.", 5)
    assert answer["message_metadata"]["stop_reason"] == "end_turn"
    assert (await door.get(f"/sessions/{session_id}"))["message_count"] == 2


async def test_say_when_blocks_are_sent_then_they_are_kept_in_wire_form(door: Door) -> None:
    session_id = await door.session()
    image = {
        "type": "image",
        "source": {"type": "base64", "media_type": "image/png", "data": PIXEL},
    }
    link = {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}}
    blocks = [
        {"type": "text", "text": "Look:"},
        image,
        link,
        {"type": "text", "text": "What is it? ⛵"},
    ]
    await door.say(session_id, content=blocks)
    page = await door.get(f"/sessions/{session_id}/messages?role=user")
    assert page["messages"][0]["blocks"] == blocks
    assert page["messages"][0]["content"] == "Look:\nWhat is it? ⛵"


@ONE_DATABASE
async def test_say_when_it_cannot_be_taken_then_nothing_is_lost_or_made(door: Door) -> None:
    session_id = await door.session()
    refusals: list[tuple[object, int, str]] = [
        ({"content": ""}, 400, "message.empty"),
        ({"content": " \n\t"}, 400, "message.empty"),
        ({"content": []}, 400, "message.empty"),
        ({"content": [{"type": "text", "text": " "}]}, 400, "message.empty"),
        ({}, 422, "request.unprocessable"),
        ({"content": None}, 422, "request.unprocessable"),
        ({"content": "a", "role": "assistant"}, 422, "request.unprocessable"),
        ({"content": [{"type": "tool_result", "text": "x"}]}, 422, "request.unprocessable"),
        ({"content": "a", "client_message_id": ""}, 422, "request.unprocessable"),
        ({"content": "a\0b"}, 400, "request.malformed-json"),
    ]
    image = {"type": "base64", "media_type": "image/png", "data": "not base64!"}
    refusals.extend(
        ({"content": [{"type": "image", "source": source}]}, 422, "request.unprocessable")
        for source in (
            image,
            image | {"media_type": "image/svg+xml", "data": PIXEL},
            {"type": "url", "url": "http://127.0.0.1/secret.png"},
            {"type": "file", "path": "/etc/passwd"},
        )
    )
    for body, status, code in refusals:
        refused = await door.call("POST", f"/sessions/{session_id}/messages", body)
        assert (refused.status, refused.code) == (status, code), body
    assert await door.kinds(session_id) == ["session.created"]


@ONE_DATABASE
async def test_say_when_it_is_two_megabytes_then_it_is_too_large(door: Door) -> None:
    session_id = await door.session()
    path = f"/sessions/{session_id}/messages"
    refused = await door.call("POST", path, {"content": "x" * 2_000_000})
    assert (refused.status, refused.code) == (413, "request.too-large")
    taken = await door.call("POST", path, {"content": "x" * 1_000_000})
    assert taken.status == 202
    page = await door.get(f"{path}?role=user")
    assert len(page["messages"][0]["content"]) == 1_000_000


async def test_say_when_the_client_repeats_itself_then_one_message_is_made(door: Door) -> None:
    session_id = await door.session()
    path = f"/sessions/{session_id}/messages"
    body = {"content": "Ahoy", "client_message_id": "phone-1"}
    answers = await asyncio.gather(*(door.call("POST", path, body) for _ in range(8)))
    assert {answer.status for answer in answers} == {202}
    assert len({answer.json["message_id"] for answer in answers}) == 1
    assert len({answer.json["run_id"] for answer in answers}) == 1
    assert len({answer.json["cursor"] for answer in answers}) == 1
    other = await door.call("POST", path, body | {"content": "Avast"})
    assert (other.status, other.code) == (409, "message.repeated")
    assert other.json["message_id"] == answers[0].json["message_id"]
    assert (await door.kinds(session_id)).count("message.submitted") == 1


async def test_say_when_the_key_is_repeated_then_one_message_is_made(door: Door) -> None:
    first, second = await door.session(), await door.session()
    key = {"Idempotency-Key": "tap"}
    path = f"/sessions/{first}/messages"
    answers = await asyncio.gather(
        *(door.call("POST", path, {"content": "Ahoy"}, headers=key) for _ in range(8))
    )
    assert len({answer.json["message_id"] for answer in answers}) == 1
    assert (await door.kinds(first)).count("message.submitted") == 1
    elsewhere = f"/sessions/{second}/messages"
    for where, body in ((path, {"content": "Avast"}), (elsewhere, {"content": "Ahoy"})):
        other = await door.call("POST", where, body, headers=key)
        assert (other.status, other.code) == (422, "idempotency.key-reused")
    assert await door.kinds(second) == ["session.created"]


async def test_say_when_a_run_is_unfinished_then_it_waits_unless_told_not_to(door: Door) -> None:
    door.agent.plan = hang
    session_id = await door.session()
    first = await door.say(session_id)
    path = f"/sessions/{session_id}/messages"
    refused = await door.call("POST", path, {"content": "Now!", "queue": False})
    assert (refused.status, refused.code) == (409, "session.busy")
    assert refused.json["run_id"] == first["run_id"]
    second = await door.say(session_id, "Then")
    await door.until(first["run_id"], "running")
    assert (await door.run(second["run_id"]))["status"] == "queued"


async def test_read_when_paged_then_offset_and_cursor_are_keys(door: Door) -> None:
    session_id = await door.session()
    for number in range(4):
        said = await door.say(session_id, f"Message {number}")
        await door.until(said["run_id"], "finished")
    path = f"/sessions/{session_id}/messages"
    everything = (await door.get(path))["messages"]
    assert [m["role"] for m in everything] == ["user", "assistant"] * 4

    async def texts(query: str) -> list[str]:
        return [m["content"] for m in (await door.get(f"{path}?{query}"))["messages"]]

    assert await texts("limit=3&offset=3") == ["Aye.", "Message 2", "Aye."]
    assert await texts("role=user&limit=2&offset=1") == ["Message 1", "Message 2"]
    assert await texts("offset=20000") == []
    assert await texts("role=system") == []
    pages: list[Any] = []
    cursor = ""
    while True:
        page = await door.get(f"{path}?role=user&limit=3{cursor}")
        assert page["total"] == 4
        pages += page["messages"]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert [m["content"] for m in pages] == [f"Message {number}" for number in range(4)]
    for query, code in (("role=robot", "request.not-a-choice"), ("cursor=x", "page.bad-cursor")):
        refused = await door.call("GET", f"{path}?{query}")
        assert (refused.status, refused.code) == (400, code)


async def test_read_when_the_text_is_long_then_the_page_ends_early_and_goes_on(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("homeport.readers.history.messages.MOST_BYTES", 250_000)
    door.agent.plan = hang
    session_id = await door.session()
    for _ in range(4):
        await door.say(session_id, "x" * 100_000)
    path = f"/sessions/{session_id}/messages"
    first = await door.get(path)
    assert (len(first["messages"]), first["total"]) == (2, 4)
    second = await door.get(f"{path}?cursor={first['next_cursor']}")
    assert (len(second["messages"]), second["next_cursor"]) == (2, None)


async def test_read_when_a_message_is_being_written_then_it_comes_as_far_as_it_is(
    door: Door,
) -> None:
    async def write(agent: Agent, claim: Claim) -> None:
        async with fenced(agent.log, claim) as unit:
            row = await unit.session.get_one(SessionRow, claim.session_id)
            begun = MessageStarted(
                message_id=new_id(), run_id=claim.run_id, turn=1, model=row.model
            )
            seq = await journal.begin_message(unit, row, begun, epoch=claim.epoch)
        writer = agent.log.open_message(
            claim.stream, message_id=begun.message_id, started_seq=seq, epoch=claim.epoch
        )
        writer.block_started("text")
        writer.delta("Half a sen")
        await hang(agent, claim)

    door.agent.plan = write
    session_id = await door.session()
    await door.say(session_id)
    path = f"/sessions/{session_id}/messages?role=assistant"

    async def half_is_stored() -> bool:
        messages = (await door.get(path))["messages"]
        return bool(messages) and messages[0]["content"] == "Half a sen"

    await eventually(half_is_stored)
    shown = (await door.get(path))["messages"][0]
    assert (shown["status"], shown["seq"]) == ("open", None)
    assert shown["blocks"] == [{"type": "text", "text": "Half a sen"}]
