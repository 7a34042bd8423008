"""A repeated POST: the same run from where the client stood, never a second one, no text twice."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.door import Person, new_key, user
from gateway.frames import Heard, since

STORY = "tell me a long story"
SLOW = "PERF n=60 i=3"


async def working_session(ada: Person) -> str:
    return await ada.new_session(permission_mode="accept_edits")


def joined(parts: list[Heard]) -> Heard:
    """What a client has that kept all that it got: resumed answers begin with an empty chunk."""
    whole = Heard(list(parts[0].frames))
    for part in parts[1:]:
        assert part.frames[0].text == ""
        assert part.frames[0].kind == "chunk"
        whole.frames += part.frames[1:]
    return whole


def assert_alike(one: Heard, other: Heard) -> None:
    """The same text, the same frames beside it, the same close, byte for byte."""
    assert one.text == other.text
    assert one.beside == other.beside
    assert one.close == other.close


@pytest.mark.parametrize("said", ["write a file", STORY, "run: echo hello"])
async def test_stream_when_it_is_cut_behind_any_frame_then_a_repeat_gives_exactly_the_rest(
    ada: Person, said: str
) -> None:
    session_id = await working_session(ada)
    body = {
        "messages": user(said),
        "session_id": session_id,
        "stream_options": {"include_usage": True},
    }
    whole = Heard()
    async with ada.streaming(body) as (_, frames):
        async for frame in frames:
            whole.frames.append(frame)
            if frame.kind == "approval_request":
                await ada.decide(frame.json["id"])
    for count in places(len(whole.frames)):
        before = Heard(whole.frames[:count])
        rest = await ada.stream(body, since(before))
        assert rest.frames[0].id == before.last_id
        assert_alike(joined([_without_close(before), rest]), whole)
    assert len(await ada.runs(session_id)) == 1


def places(frames: int) -> list[int]:
    """Where to cut: everywhere, or in a long answer in its middle here and there."""
    everywhere = range(1, frames)
    return [n for n in everywhere if n < 20 or n > frames - 20 or n % 7 == 0]


def _without_close(heard: Heard) -> Heard:
    """Whoever has not seen the end is sent the frames of the close again: they add nothing."""
    return Heard([frame for frame in heard.frames if frame.id is not None])


@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    said=st.sampled_from([SLOW, "write a file"]),
    cuts=st.lists(st.integers(1, 30), min_size=1, max_size=8),
    keyed=st.booleans(),
)
@pytest.mark.requirement("F4")
async def test_stream_when_it_is_cut_again_and_again_while_it_runs_then_nothing_is_lost_or_twice(
    ada: Person, said: str, cuts: list[int], keyed: bool
) -> None:
    session_id, key = await working_session(ada), new_key()
    body = {"messages": user(said), "session_id": session_id}
    parts = [await ada.stream(body, key, most=cuts[0])]
    for most in [*cuts[1:], None]:
        where = since(joined(parts))
        parts[-1] = _without_close(parts[-1])
        parts.append(await ada.stream(body, {**where, **(key if keyed else {})}, most=most))
    got, unbroken = joined(parts), await ada.stream(body, key)
    assert_alike(got, unbroken)
    assert got.text == await ada.said(session_id)
    assert len(await ada.runs(session_id)) == 1


async def test_last_event_id_when_the_answer_was_whole_then_only_its_close_comes_again(
    ada: Person,
) -> None:
    session_id = await working_session(ada)
    body = {"messages": user("hi"), "session_id": session_id}
    whole = await ada.stream(body)
    again = await ada.stream(body, since(whole))
    assert again.kinds == ["chunk", "chunk", "[DONE]"]
    assert (again.text, again.beside, again.close) == ("", [], whole.close)
    answer = await (await ada.chat(body, since(whole))).json()
    assert answer["choices"][0]["message"]["content"] == ""
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert answer["homeport"]["status"] == "completed"
    assert answer["usage"]["output_tokens"] > 0


async def test_last_event_id_when_a_run_follows_then_its_text_is_not_mixed_in(
    ada: Person,
) -> None:
    """Each place in a session belongs to one run, also where another was queued behind it."""
    session_id = await working_session(ada)
    body = {"messages": user("PERF n=20 i=5"), "session_id": session_id}
    async with ada.streaming(body) as (_, frames):
        first = Heard([await anext(frames)])
        path = f"/sessions/{session_id}/messages"
        answer = await ada.call("POST", path, {"content": "write a file"})
        assert answer.status == 202
        first.frames += [frame async for frame in frames]
    run_id = (await answer.json())["run_id"]
    async with asyncio.timeout(30):
        while (await ada.get(f"/runs/{run_id}"))["status"] != "finished":
            await asyncio.sleep(0.02)
    second = await ada.stream({"messages": user("hi"), "session_id": session_id})
    for whole in (first, second):
        for count in range(1, len(whole.frames)):
            before = _without_close(Heard(whole.frames[:count]))
            rest = await ada.stream(body, since(before))
            assert_alike(joined([before, rest]), whole)
    assert len(await ada.runs(session_id)) == 3


async def test_answer_when_it_is_asked_for_the_rest_then_a_document_has_it(ada: Person) -> None:
    session_id = await working_session(ada)
    body = {"messages": user(STORY), "session_id": session_id}
    before = await ada.stream(body, most=20)
    answer = await (await ada.chat(body, since(before))).json()
    rest = answer["choices"][0]["message"]["content"]
    assert before.text + rest == await ada.said(session_id)
    assert answer["id"] == before.frames[0].json["id"]
    assert answer["created"] == before.frames[0].json["created"]


async def test_key_when_the_post_is_repeated_then_it_is_the_same_run_from_its_beginning(
    ada: Person, bob: Person
) -> None:
    key = new_key()
    session_id = str(uuid4())
    body = {"model": "demo", "messages": user(STORY), "session_id": session_id}
    cut = await ada.stream(body, key, most=5)
    again = await ada.stream(body, key)
    whole = await ada.stream(body, key)
    assert_alike(again, whole)
    assert again.text.startswith(cut.text)
    assert len(await ada.runs(session_id)) == 1
    sdk = await ada.sdk.chat.completions.create(
        model="demo",
        messages=user("hi"),
        extra_body={"project_id": (await ada.get(f"/sessions/{session_id}"))["project_id"]},
        extra_headers={"Idempotency-Key": (other := str(uuid4()))},
    )
    repeated = await ada.sdk.chat.completions.create(
        model="demo",
        messages=user("hi"),
        extra_body={"project_id": (sdk.model_extra or {})["project_id"]},
        extra_headers={"Idempotency-Key": other},
    )
    assert repeated == sdk
    foreign = await bob.chat({**body, "session_id": str(uuid4())}, key)
    assert foreign.status == 200, "a key is the user's own"


@pytest.mark.requirement("48")
async def test_key_when_the_body_differs_then_it_is_422_and_nothing_is_said(ada: Person) -> None:
    key = new_key()
    session_id = await working_session(ada)
    body = {"messages": user("hi"), "session_id": session_id}
    assert (await ada.chat(body, key)).status == 200
    for other in (
        {**body, "messages": user("ho")},
        {**body, "stream": True},
        {**body, "frobnicate": 1},
        {"messages": user("hi"), "session_id": str(uuid4())},
    ):
        answer = await ada.chat(other, key)
        document = await answer.json(content_type="application/problem+json")
        assert (answer.status, document["error"]["code"]) == (422, "idempotency.key-reused")
    assert len(await ada.runs(session_id)) == 1


async def test_key_when_the_session_was_cleared_since_then_the_answer_is_still_there(
    ada: Person,
) -> None:
    session_id = await working_session(ada)
    key = new_key()
    body = {"messages": user("hi"), "session_id": session_id}
    first = await (await ada.chat(body, key)).json()
    assert (await ada.call("POST", f"/sessions/{session_id}/clear")).status == 200
    again = await (await ada.chat(body, key)).json()
    assert again["choices"] == first["choices"]
    assert (await ada.call("DELETE", f"/sessions/{session_id}")).status == 204
    assert (await ada.chat(body, key)).status == 404


@pytest.mark.parametrize(
    ("where", "status", "code"),
    [
        ("nonsense", 400, "stream.bad-cursor"),
        ("{session}", 400, "stream.bad-cursor"),
        ("{session}/", 400, "stream.bad-cursor"),
        ("{session}/x", 400, "stream.bad-cursor"),
        ("{session}/5.0", 400, "stream.bad-cursor"),
        ("{session}/999999", 409, "stream.cursor-ahead"),
        ("{session}/0", 404, "run.not-found"),
        ("{other}/1", 400, "stream.bad-cursor"),
        ("{session}/{head}.0.5", 400, "stream.bad-cursor"),
    ],
)
@pytest.mark.requirement("F5")
async def test_last_event_id_when_it_is_none_of_the_sessions_then_it_is_told_so(
    ada: Person, where: str, status: int, code: str
) -> None:
    session_id = await working_session(ada)
    body: dict[str, Any] = {"messages": user("hi"), "session_id": session_id}
    head = (await ada.stream(body)).last_id.partition("/")[2]
    last_event_id = where.format(session=session_id, other=str(uuid4()), head=head)
    for streaming in (False, True):
        answer = await ada.chat({**body, "stream": streaming}, {"Last-Event-ID": last_event_id})
        document = await answer.json(content_type="application/problem+json")
        assert (answer.status, document["error"]["code"]) == (status, code)
    assert len(await ada.runs(session_id)) == 1


@pytest.mark.requirement("26")
async def test_last_event_id_when_the_session_is_somebody_elses_then_it_is_not_found(
    ada: Person, bob: Person
) -> None:
    session_id = await working_session(ada)
    heard = await ada.stream({"messages": user("hi"), "session_id": session_id})
    for members in ({}, {"session_id": session_id}):
        for streaming in (False, True):
            body = {"messages": user("hi"), "stream": streaming, **members}
            answer = await bob.chat(body, since(heard))
            document = await answer.json(content_type=None)
            assert (answer.status, document["error"]["code"]) == (404, "session.not-found")


async def test_last_event_id_when_the_header_is_empty_then_it_is_none(ada: Person) -> None:
    answer = await ada.chat({"model": "demo", "messages": user("hi")}, {"Last-Event-ID": ""})
    assert answer.status == 200
    assert "session_id" not in await answer.json()
