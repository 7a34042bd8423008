"""What a client sends wrongly gets the error document, changes nothing, and is no end of anything."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from runs.conftest import ONE_DATABASE, OwnDoor
from runs.door import Door, kinds, of_kind, whole
from support.upstream import Upstream

MEGABYTE = 1_000_000
BODY_LIMIT = 1 << 20

pytestmark = ONE_DATABASE


async def test_model_when_nobody_serves_it_then_it_is_refused_wherever_it_is_named(
    door: Door, claude: Upstream
) -> None:
    before = (await door.get("/v1/sessions?limit=1"))["total"]
    refused = await door.refused("POST", "/v1/sessions", {"model": "gpt-9"}, status=404)
    assert (refused["error"]["code"], refused["error"]["param"]) == ("model.not-found", "model")
    said = {"model": "gpt-9", "messages": [{"role": "user", "content": "hello"}]}
    refused = await door.refused("POST", "/v1/chat/completions", said, status=404)
    assert refused["error"]["code"] == "model.not-found"
    assert (await door.get("/v1/sessions?limit=1"))["total"] == before
    session_id = await door.session()
    kept = await door.get(f"/v1/sessions/{session_id}")
    path = f"/v1/sessions/{session_id}"
    refused = await door.refused("PATCH", path, {"name": "x", "model": "gpt-9"}, status=404)
    assert refused["error"]["code"] == "model.not-found"
    assert await door.get(path) == kept
    assert (await door.ran(session_id, "hello"))[-1]["status"] == "completed"
    assert [received.body["model"] for received in claude.requests] == [kept["model"]]


async def test_model_when_the_server_no_longer_serves_it_then_the_run_fails_and_another_goes_on(
    own_door: OwnDoor,
) -> None:
    door = own_door()
    session_id = await door.session()
    assert (await door.ran(session_id, "hello"))[-1]["status"] == "completed"
    door.server.settings = {**door.server.settings, "ANTHROPIC_API_KEY": ""}
    door.server.restart()
    events = await door.ran(session_id, "still there?")
    assert kinds(events)[-1] == "run.finished"
    assert (events[-1]["status"], events[-1]["reason"]) == ("failed", "model.not-found")
    answer = await door.call("PATCH", f"/v1/sessions/{session_id}", {"model": "demo"})
    assert answer.status == 200
    assert (await door.ran(session_id, "and now?"))[-1]["status"] == "completed"
    said = of_kind(whole(await door.events(session_id)), "message.submitted")
    assert len(said) == 3


@pytest.mark.parametrize(
    "content",
    ["", " \n\t", [], [{"type": "text", "text": ""}], [{"type": "text", "text": " "}] * 2],
    ids=["nothing", "space", "no-blocks", "empty-block", "blank-blocks"],
)
async def test_message_when_it_is_empty_then_it_is_refused_and_nothing_is_queued(
    door: Door, claude: Upstream, content: object
) -> None:
    session_id = await door.session()
    before = await door.events(session_id)
    path = f"/v1/sessions/{session_id}/messages"
    refused = await door.refused("POST", path, {"content": content}, status=400)
    assert refused["error"]["code"] == "message.empty"
    assert await door.events(session_id) == before
    assert (await door.get(f"/v1/sessions/{session_id}/runs"))["total"] == 0
    assert claude.requests == []
    assert (await door.ran(session_id, "hello"))[-1]["status"] == "completed"


async def test_message_when_it_has_two_megabytes_then_it_is_refused_and_a_smaller_one_is_taken(
    door: Door, claude: Upstream
) -> None:
    session_id = await door.session()
    path = f"/v1/sessions/{session_id}/messages"
    too_much = "x" * 2 * MEGABYTE
    refused = await door.refused("POST", path, {"content": too_much}, status=413)
    assert refused["limit"] == BODY_LIMIT
    assert kinds(await door.events(session_id)) == ["session.created"]
    much = "0123456789" * (BODY_LIMIT // 11)
    events = await door.ran(session_id, much)
    assert events[-1]["status"] == "completed"
    assert claude.requests[-1].body["messages"][0]["content"][0]["text"] == much
    (submitted,) = of_kind(events, "message.submitted")
    shown = submitted["blocks"][0]["text"]
    assert (shown["truncated"], shown["size"]) == (True, len(much))
    event = await door.get(shown["href"])
    assert event["blocks"] == [{"type": "text", "text": much}]


async def test_message_when_its_length_is_not_told_then_it_is_counted_as_it_comes(
    door: Door,
) -> None:
    session_id = await door.session()

    async def body() -> AsyncGenerator[bytes]:
        yield b'{"content": "'
        for _ in range(20):
            yield b"x" * (MEGABYTE // 10)
        yield b'"}'

    url = f"{door.server.base_url}/v1/sessions/{session_id}/messages"
    headers = {**door.server.admin, "content-type": "application/json"}
    async with door.http.post(url, data=body(), headers=headers) as answer:
        assert answer.status == 413
        assert (await answer.json())["error"]["type"] == "request_too_large"
    assert kinds(await door.events(session_id)) == ["session.created"]
    assert (await door.ran(session_id, "hello"))[-1]["status"] == "completed"
