"""Lines that are open for long: heart-beats, revoked keys, a server that goes, mistakes of ours."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import openai
import pytest
import pytest_asyncio

from gateway.door import PATIENCE_S, Person, account, person, user
from gateway.frames import Frame
from homeport.app import create_app
from homeport.providers.demo import DemoProvider
from homeport.providers.demo.provider import INFO
from homeport.providers.models import Models
from homeport.providers.port import (
    BlockDelta,
    BlockStarted,
    ModelInfo,
    ModelRequest,
    ProviderEvent,
)
from homeport.readers.stream.pulse import HEARTBEAT_TICKS, Pulse
from homeport.settings import Settings
from homeport.wiring.house import House
from homeport.wiring.opening import open_house
from support.beside import beside

ASKS = "run: echo hello"
AT_ONCE = "at once"
BROKEN = replace(INFO, id="broken")
pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(frozen=True, slots=True)
class Place:
    """A whole server in the test's own loop, and somebody who calls it."""

    house: House
    ada: Person


class Broken:
    """A provider with a mistake in it: it stumbles in the middle, or at once if it is told to."""

    name = "broken"

    def models(self) -> Sequence[ModelInfo]:
        return (BROKEN,)

    def find(self, model_id: str) -> ModelInfo | None:
        return BROKEN if model_id == BROKEN.id else None

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ProviderEvent, None]:
        if request.messages[0]["content"][0]["text"] != AT_ONCE:
            yield BlockStarted(0, "text")
            yield BlockDelta(0, "Half ")
        raise RuntimeError("the secret of the house")

    async def warm(self) -> None: ...

    async def close(self) -> None: ...


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    folder = tmp_path_factory.mktemp("place")
    settings = Settings(data_dir=folder / "data", demo_pace=0, chat_answer_within=PATIENCE_S)
    async with open_house(settings) as house:
        house.services[Models] = Models([DemoProvider(pace=0), Broken()])
        async with beside(create_app(settings, house=house)) as base_url:
            user_id, key = await account(base_url, "ada")
            async with person(base_url, "ada", user_id, key) as ada:
                yield Place(house, ada)


async def until_asked(frames: AsyncIterator[Frame]) -> Frame:
    async for frame in frames:
        if frame.kind == "approval_request":
            return frame
    raise AssertionError("nobody was asked")


async def test_stream_when_nothing_happens_then_a_heart_beat_says_where_it_stands(
    place: Place,
) -> None:
    ada, pulse = place.ada, place.house.get(Pulse)
    session_id = await ada.new_session(permission_mode="default")
    body = {"messages": user(ASKS), "session_id": session_id}
    async with asyncio.timeout(PATIENCE_S), ada.streaming(body) as (_, frames):
        await until_asked(frames)
        waiting = asyncio.ensure_future(anext(frames))
        await asyncio.sleep(0)
        for _ in range(HEARTBEAT_TICKS):
            pulse.beat()
        beat = await waiting
    assert beat.kind == "heartbeat"
    assert beat.json["choices"] == [{"index": 0, "delta": {"content": ""}, "finish_reason": None}]
    assert beat.id is not None
    head = (await ada.get(f"/sessions/{session_id}"))["cursor"]
    assert beat.id == f"{session_id}/{head}"
    resumed = await ada.stream(body, {"Last-Event-ID": beat.id}, most=1)
    assert resumed.frames[0].id == beat.id


async def test_stream_when_the_key_is_revoked_then_it_ends_with_that_error_and_the_run_goes_on(
    place: Place,
) -> None:
    ada = place.ada
    made = await ada.call("POST", "/auth/api-keys", {"name": "phone"})
    assert made.status == 201, await made.text()
    phone = await made.json()
    session_id = await ada.new_session(permission_mode="default")
    body = {"messages": user(ASKS), "session_id": session_id}
    async with person(ada.base_url, "ada", ada.user_id, phone["api_key"]) as stolen:
        waiting = asyncio.create_task(stolen.chat({**body, "session_id": await ada.new_session()}))
        async with asyncio.timeout(PATIENCE_S), stolen.streaming(body) as (_, frames):
            await until_asked(frames)
            revoked = await ada.call("DELETE", f"/auth/api-keys/{phone['id']}")
            assert revoked.status == 204
            rest = [frame async for frame in frames]
        assert [frame.kind for frame in rest if frame.kind != "heartbeat"] == ["error", "[DONE]"]
        assert rest[-2].json["error"]["code"] == "auth.invalid-credential"
        assert (await waiting).status == 200, "it had its answer before: people are asked"
    assert (await ada.runs(session_id))[0]["status"] == "waiting"


async def test_stateless_call_when_we_make_a_mistake_then_it_is_told_without_its_cause(
    place: Place,
) -> None:
    body = {"model": "broken", "messages": user("hi")}
    heard = await place.ada.stream(body)
    assert heard.kinds[-2:] == ["error", "[DONE]"]
    assert heard.text == "Half "
    error = heard.frames[-2].json["error"]
    assert (error["code"], error["status"]) == ("internal", 500)
    assert "secret" not in str(heard.frames)
    for streaming, said in ((False, "hi"), (False, AT_ONCE), (True, AT_ONCE)):
        answer = await place.ada.chat({**body, "messages": user(said), "stream": streaming})
        document = await answer.json(content_type="application/problem+json")
        assert (answer.status, document["error"]["code"]) == (500, "internal")
        assert document["error_id"] in document["detail"]
        assert "secret" not in await answer.text()


async def test_stateless_call_when_its_usage_cannot_be_kept_then_the_answer_is_and_the_log_has_it(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    path = place.house.settings.data_path / "homeport.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as somebody:
        somebody.execute("BEGIN IMMEDIATE")
        heard = await place.ada.stream({"model": "demo", "messages": user("tell me a story")})
    assert heard.text.endswith("\U0001f642\n")
    assert (heard.kinds[-1], "error" in heard.kinds) == ("[DONE]", False)
    lost = [record for record in caplog.records if "usage.unrecorded" in str(record.msg)]
    assert len(lost) == 1
    assert "'output_tokens': 702" in str(lost[0].msg)


async def test_lines_when_the_server_is_about_to_go_then_they_end_in_order_and_say_so(
    place: Place,
) -> None:
    """The last one here: whoever goes does not come back."""
    ada = place.ada
    session_id, other_id = await ada.new_session(permission_mode="default"), await ada.new_session()
    waiting = asyncio.create_task(
        ada.chat({"messages": user("PERF n=5000 i=10"), "session_id": other_id})
    )
    await ada.until(other_id, "running")
    stream = await ada.sdk.chat.completions.create(
        model="demo", messages=user(ASKS), stream=True, extra_body={"session_id": session_id}
    )
    async for chunk in stream:
        if (chunk.model_extra or {}).get("type") == "approval_request":
            break
    place.house.draining.begin()
    with pytest.raises(openai.APIError) as failure:
        async for _ in stream:
            pass
    assert failure.value.code == "chat.answer-cut"
    answer = await (await waiting).json()
    assert answer["homeport"]["status"] == "running"
    assert answer["choices"][0]["message"]["content"].startswith("delta 0 ")
