"""The server goes away in the middle of an answer; its client comes back with what it last had."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import aiohttp

from gateway.door import Person, account, person, user
from gateway.frames import Heard, since
from support.server import MakeServer, Server

TEXT = "".join(f"delta {number} " for number in range(150))


async def test_stream_when_the_server_is_killed_or_restarted_then_the_same_run_is_followed_on(
    make_server: MakeServer,
) -> None:
    server = make_server(DEMO_PACE="0")
    who = await account(server.base_url, "ada")
    for go in (_killed, _drained):
        async with person(server.base_url, "ada", *who) as ada:
            session_id = await ada.new_session()
            body = {"messages": user("PERF n=150 i=10"), "session_id": session_id}
            before = await go(server, ada, body)
        server.start()
        async with person(server.base_url, "ada", *who) as ada:
            rest = await ada.stream(body, since(before))
            await _has_it_all(ada, session_id, before, rest)


async def _killed(server: Server, ada: Person, body: Mapping[str, object]) -> Heard:
    before = Heard()
    async with ada.streaming(body) as (_, frames):
        try:
            async for frame in frames:
                before.frames.append(frame)
                if len(before.frames) == 20:
                    server.kill()
        except aiohttp.ClientPayloadError:
            pass  # a broken transfer is what a client sees
    assert "[DONE]" not in before.kinds
    return before


async def _drained(server: Server, ada: Person, body: Mapping[str, object]) -> Heard:
    before, stopping = Heard(), list[asyncio.Task[int]]()
    async with ada.streaming(body) as (_, frames):
        async for frame in frames:
            before.frames.append(frame)
            if len(before.frames) == 20:
                stopping.append(asyncio.create_task(asyncio.to_thread(server.stop)))
    assert await stopping[0] == 0
    assert before.kinds[-2:] == ["error", "[DONE]"]
    assert before.frames[-2].json["error"]["code"] == "chat.answer-cut"
    return before


async def _has_it_all(ada: Person, session_id: str, before: Heard, rest: Heard) -> None:
    """A broken attempt as far as it was seen, then a blank line and the next attempt whole."""
    assert rest.kinds[-1] == "[DONE]"
    shown, parted, whole = (before.text + rest.text).partition("\n\n")
    assert shown.startswith(before.text)
    assert TEXT.startswith(shown)
    assert (whole if parted else shown) == TEXT
    runs = await ada.runs(session_id)
    assert [run["outcome"] for run in runs] == ["completed"]
