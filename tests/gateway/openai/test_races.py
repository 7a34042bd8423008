"""Many at once, on both databases: one run, whoever is first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import aiohttp
import pytest

from gateway.door import PATIENCE_S, Person, account, new_key, person, user
from support.server import MakeServer

STORY = "tell me a long story"


@pytest.fixture
async def ada(make_server: MakeServer, empty_database_url: str) -> AsyncIterator[Person]:
    server = make_server(DATABASE_URL=empty_database_url, DEMO_PACE="0")
    user_id, key = await account(server.base_url, "ada")
    async with person(server.base_url, "ada", user_id, key) as opened:
        yield opened


@pytest.mark.requirement("48")
async def test_runs_when_many_ask_at_once_then_each_request_is_taken_once(ada: Person) -> None:
    await _with_one_key(ada)
    await _with_one_session_id(ada)
    await _resumed_on_this_database(ada)


async def _with_one_key(ada: Person) -> None:
    """Each of them would make a session of its own: only the key holds them together."""
    key = new_key()
    project_id = (await ada.get(f"/sessions/{await ada.new_session()}"))["project_id"]
    before = (await ada.get("/sessions"))["total"]
    body: dict[str, object] = {"messages": user("hi"), "project_id": project_id}
    answers = await asyncio.gather(*(_insist(ada, body, key) for _ in range(40)))
    assert {answer.status for answer in answers} == {200}
    assert len({await answer.text() for answer in answers}) == 1
    assert (await ada.get("/sessions"))["total"] == before + 1
    assert len(await ada.runs((await answers[0].json())["session_id"])) == 1


async def _insist(
    ada: Person, body: dict[str, object], key: dict[str, str]
) -> aiohttp.ClientResponse:
    """The answer: a database that is busy says so, and the same request is sent again."""
    async with asyncio.timeout(PATIENCE_S):
        while (answer := await ada.chat(body, key)).status == 503:
            await asyncio.sleep(0.1)
        return answer


async def _with_one_session_id(ada: Person) -> None:
    """A client-made id: one of them makes the session, and the others hear that it is at work."""
    session_id = str(uuid4())
    body = {"model": "demo", "messages": user("PERF n=60 i=20"), "session_id": session_id}
    answers = await asyncio.gather(*(ada.chat(body) for _ in range(5)))
    assert sorted(answer.status for answer in answers) == [200, 409, 409, 409, 409]
    assert len(await ada.runs(session_id)) == 1


async def _resumed_on_this_database(ada: Person) -> None:
    session_id = await ada.new_session()
    body = {"messages": user(STORY), "session_id": session_id}
    whole = await ada.stream(body)
    for count in range(1, len(whole.frames), 25):
        seen = whole.frames[:count]
        last = [frame.id for frame in seen if frame.id is not None][-1]
        rest = await ada.stream(body, {"Last-Event-ID": last})
        assert "".join(frame.text for frame in seen) + rest.text == whole.text
    assert len(await ada.runs(session_id)) == 1
