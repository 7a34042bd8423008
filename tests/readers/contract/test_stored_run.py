"""A run that is over, cut at any address and resumed: the same as for a reader who never left."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from readers.api import Api
from readers.contract.clients import Client, Native, cut_somewhere
from readers.contract.script import LONG, replies
from readers.contract.seeds import chance
from readers.contract.stage import Stage, end_of, follow_chat, read_through, read_to
from readers.contract.transports import ALL, NATIVE, ChatRetry, Transport

KEY = "contract-stored"
AT_ONCE = 8
CUTS, MANY_CUTS = 40, 2_000
"""Per transport: 200 and 10,000 over the five of them."""


@pytest.fixture
async def played(stage: Stage, admin: Api) -> str:
    """The session of the one run that all tests of this file read."""
    page = await admin.get("/v1/sessions?search=contract-stored")
    if page["sessions"]:
        return page["sessions"][0]["id"]
    session_id = await stage.play(admin, replies(random.Random(1)), KEY)
    answer = await admin.call("PATCH", f"/v1/sessions/{session_id}", {"name": KEY})
    assert answer.status == 200
    return session_id


async def whole(transport: Transport, api: Api, session_id: str) -> tuple[Client, list[Any]]:
    """What a reader knows who is never cut, and the frames that it got."""
    client = transport.client()
    if isinstance(transport, ChatRetry):
        frames = await follow_chat(api, session_id, KEY)
        for frame in frames:
            client.apply(frame)
    else:
        frames = await read_to(
            transport, api, session_id, client, cursor=await end_of(api, session_id)
        )
    return client, frames


async def cut_and_resume(transport: Transport, api: Api, session_id: str, *, cuts: int) -> None:
    unbroken, frames = await whole(transport, api, session_id)
    knows, places = unbroken.knows(), asyncio.Semaphore(AT_ONCE)

    async def one(source: random.Random) -> None:
        client = cut_somewhere(transport.client(), frames, source)
        cut_at = client.cursor
        try:
            async with places:
                await read_through(transport, api, session_id, client, until=knows)
        except Exception as error:
            error.add_note(f"{transport.name} cut at {cut_at}")
            raise
        assert client.knows() == knows

    with chance() as source:
        async with asyncio.TaskGroup() as group:
            for _ in range(cuts):
                group.create_task(one(random.Random(source.random())))


@pytest.mark.requirement("F4")
async def test_stored_run_when_cut_anywhere_then_what_comes_back_is_what_an_unbroken_reader_got(
    transport: Transport, admin: Api, played: str
) -> None:
    await cut_and_resume(transport, admin, played, cuts=CUTS)


@pytest.mark.faults
@pytest.mark.timeout(900)
@pytest.mark.requirement("F4")
async def test_stored_run_when_cut_ten_thousand_times_then_what_comes_back_is_the_same(
    transport: Transport, admin: Api, played: str
) -> None:
    await cut_and_resume(transport, admin, played, cuts=MANY_CUTS)


async def test_stored_run_when_read_on_every_transport_then_all_know_the_same(
    admin: Api, played: str
) -> None:
    known = [(await whole(transport, admin, played))[0] for transport in NATIVE]
    assert all(each.knows() == known[0].knows() for each in known)
    first = known[0]
    assert isinstance(first, Native)
    assert [len(blocks) for blocks in first.texts.values()] == [4, 3, 2]
    assert list(first.types.values())[1] == ["text", "text", "tool_use"]
    assert sum(len(text) for blocks in first.texts.values() for text in blocks) > LONG
    chat, _ = await whole(ALL[-1], admin, played)
    said = [
        text
        for message, blocks in first.texts.items()
        for kind, text in zip(first.types[message], blocks, strict=True)
        if kind == "text"
    ]
    assert chat.knows()[0] == "".join(said)  # pyright: ignore[reportIndexIssue]


@pytest.mark.requirement("F4")
async def test_post_when_repeated_with_its_key_then_it_is_the_same_run_and_the_same_text(
    admin: Api, played: str
) -> None:
    first, second = [await follow_chat(admin, played, KEY) for _ in range(2)]
    assert first == second
    runs = await admin.get(f"/v1/sessions/{played}/runs")
    assert runs["total"] == 1
