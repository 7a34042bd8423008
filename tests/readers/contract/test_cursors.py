"""What a cursor is answered by, on every transport alike."""

from __future__ import annotations

import asyncio
import random
from contextlib import aclosing
from typing import Any

import pytest

from readers.api import Api
from readers.contract.clients import Chat, Native
from readers.contract.script import replies
from readers.contract.stage import Stage, end_of, follow_chat, read_through, read_to
from readers.contract.transports import NATIVE, ChatRetry, Refused, Transport
from support.upstream import Reply, text

KEY = "contract-cursors"
LOST = "?????"
SPOKEN = [f"word {number} " for number in range(80)]


@pytest.fixture
async def played(stage: Stage, admin: Api) -> str:
    """The session of the one run that the tests of this file read."""
    page = await admin.get(f"/v1/sessions?search={KEY}")
    if page["sessions"]:
        return page["sessions"][0]["id"]
    session_id = await stage.play(admin, replies(random.Random(2), size=20), KEY)
    answer = await admin.call("PATCH", f"/v1/sessions/{session_id}", {"name": KEY})
    assert answer.status == 200
    return session_id


@pytest.mark.requirement("F5")
@pytest.mark.parametrize(
    "cursor",
    ["x", "5.0", "05", "-1", "5.0.1.2", "5.", "9007199254740993", "5.0.4"],
)
async def test_cursor_when_it_is_none_of_this_session_then_it_is_a_bad_one(
    transport: Transport, admin: Api, played: str, cursor: str
) -> None:
    # No message is open at event 5, which is `turn.started`.
    assert await transport.refused(admin, played, cursor) == Refused(400, "stream.bad-cursor")


@pytest.mark.requirement("F5")
@pytest.mark.parametrize("beyond", ["{next}", "{next}.0.7", "9007199254740991"])
async def test_cursor_when_it_is_ahead_of_the_log_then_that_is_a_conflict(
    transport: Transport, admin: Api, played: str, beyond: str
) -> None:
    asked = beyond.format(next=int(await end_of(admin, played)) + 1)
    assert await transport.refused(admin, played, asked) == Refused(409, "stream.cursor-ahead")


@pytest.mark.requirement("F5", "26")
async def test_cursor_when_the_session_is_somebody_elses_then_there_is_nothing(
    transport: Transport, admin: Api, played: str
) -> None:
    eve = await admin.somebody_else()
    for cursor in ("0", "4", "4.0.1", await end_of(admin, played), "999999"):
        refused = await transport.refused(eve, played, cursor)
        assert refused == Refused(404, "session.not-found")


@pytest.mark.requirement("F5")
async def test_cursor_when_the_session_was_deleted_then_there_is_nothing(
    transport: Transport, admin: Api
) -> None:
    session_id = await admin.session()
    assert (await admin.call("DELETE", f"/v1/sessions/{session_id}")).status == 204
    refused = await transport.refused(admin, session_id, "0")
    assert refused == Refused(404, "session.not-found")


@pytest.mark.requirement("F5")
async def test_cursor_when_it_is_ahead_inside_a_closed_message_then_that_is_told_again(
    native: Transport, admin: Api, played: str
) -> None:
    whole = Native()
    frames = await read_to(native, admin, played, whole, cursor=await end_of(admin, played))
    closings = [at for at, each in enumerate(frames) if each["kind"] == "message.completed"]
    assert len(closings) == 3
    for close in closings:  # its readers were shown more than was kept: a crash took it
        client = Native()
        for frame in frames[:close]:
            client.apply(frame)
        message = frames[close]["message_id"]
        client.texts[message][-1] += LOST
        client.cursor = further(client.cursor, len(LOST))
        await read_through(native, admin, played, client, until=whole.knows())
        assert client.resets == 1


@pytest.mark.requirement("F5")
async def test_chat_when_it_is_ahead_inside_a_closed_message_then_no_text_comes_twice(
    admin: Api, played: str
) -> None:
    transport = ChatRetry()
    frames = await follow_chat(admin, played, KEY)
    whole = Chat()
    for frame in frames:
        whole.apply(frame)
    last = max(at for at, each in enumerate(frames) if whole.pieces(each) > 1)
    client = Chat()
    for frame in frames[: last + 1]:
        client.apply(frame)
    client.text += LOST
    client.cursor = further(client.cursor, len(LOST))
    async with aclosing(transport.frames(admin, played, client)) as rest:
        async for frame in rest:
            client.apply(frame)
    assert client.text == whole.text + LOST
    assert (client.agent, client.finish, client.done) == (whole.agent, whole.finish, True)


def further(cursor: str, characters: int) -> str:
    """A cursor so many characters ahead."""
    head, _, offset = cursor.rpartition(".")
    return f"{head}.{int(offset) + characters}"


@pytest.mark.requirement("F5")
async def test_cursor_when_it_is_ahead_inside_the_open_message_then_it_waits_for_the_text(
    stage: Stage, admin: Api
) -> None:
    stage.claude.script(Reply(text(*SPOKEN), interval_s=0.01))
    session_id = await admin.session()
    await admin.say(session_id, "speak")
    first = Native()
    async with aclosing(NATIVE[0].frames(admin, session_id, first)) as frames:
        async for frame in frames:
            first.apply(frame)
            if frame["kind"] == "message.delta":
                break
    head, _, _ = first.cursor.rpartition(".")
    ahead = len("".join(SPOKEN)) // 2
    async with asyncio.TaskGroup() as group:
        waiting = [
            group.create_task(first_delta(each, admin, session_id, f"{head}.{ahead}"))
            for each in NATIVE
        ]
    for each in waiting:
        offset, piece = each.result()
        assert offset == ahead, "neither reset nor told twice"
        assert piece in "".join(SPOKEN)[ahead:]


async def first_delta(
    transport: Transport, api: Api, session_id: str, cursor: str
) -> tuple[int, str]:
    client = transport.client()
    assert isinstance(client, Native)
    client.cursor = cursor
    async with aclosing(transport.frames(api, session_id, client)) as frames:
        async for frame in frames:
            found: dict[str, Any] = frame
            if found["kind"] != "stream.heartbeat":
                assert found["kind"] == "message.delta", found
                return found["offset"], found["text"]
    raise AssertionError("the stream ended")
