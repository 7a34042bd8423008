"""The routes beside the completion: how a session stands, stopping it, the old prefix."""

from __future__ import annotations

import asyncio

import pytest

from gateway.door import PATIENCE_S, Person, user

NOBODYS = "0198a000-0000-7000-8000-00000000dead"


@pytest.mark.requirement("26")
async def test_status_when_the_agent_works_then_it_says_so_and_delete_stops_it(
    ada: Person, bob: Person
) -> None:
    session_id = await ada.new_session()
    path = f"/chat/completions/{session_id}"
    body = {"messages": user("PERF n=3000 i=10"), "session_id": session_id}
    async with ada.streaming(body) as (_, frames):
        await anext(frames)
        await ada.until(session_id, "running")
        status = await ada.get(f"{path}/status")
        while status["message_count"] < 2:  # it runs before its answer has begun
            await asyncio.sleep(0.02)
            status = await ada.get(f"{path}/status")
        assert status["is_running"] is status["isRunning"] is True
        assert status["session_id"] == session_id
        for person in (bob, ada):
            for method, rest in (("GET", "/status"), ("DELETE", "")):
                if person is bob:
                    assert (await bob.call(method, path + rest)).status == 404
        stopped = await ada.call("DELETE", path)
        assert stopped.status == 200
        assert (await stopped.json())["stopped"] == [(await ada.runs(session_id))[0]["id"]]
        rest = [frame async for frame in frames]
    assert rest[-1].kind == "[DONE]"
    assert rest[-2].json["choices"][0]["finish_reason"] == "stop"
    assert (await ada.runs(session_id))[0]["outcome"] == "stopped"
    status = await ada.get(f"{path}/status")
    assert status["is_running"] is False
    assert status["message_count"] == 2
    again = await ada.call("DELETE", path)
    assert (again.status, (await again.json())["stopped"]) == (200, [])


@pytest.mark.parametrize("session_id", ["nonsense", "0" * 400, NOBODYS])
async def test_status_when_there_is_no_such_session_then_it_is_404(
    ada: Person, session_id: str
) -> None:
    for method, rest in (("GET", "/status"), ("DELETE", "")):
        answer = await ada.call(method, f"/chat/completions/{session_id}{rest}")
        document = await answer.json(content_type="application/problem+json")
        assert (answer.status, document["error"]["code"]) == (404, "session.not-found")


async def test_old_prefix_when_it_is_used_then_the_same_route_answers(ada: Person) -> None:
    url = f"{ada.base_url}/api/v1/chat/completions"
    async with asyncio.timeout(PATIENCE_S):
        async with ada.http.post(
            url, json={"model": "demo", "messages": user("hi")}, headers={"X-API-Key": ada.key}
        ) as answer:
            assert answer.status == 200
