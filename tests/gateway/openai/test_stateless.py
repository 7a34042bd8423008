"""One model call with nothing behind it, as OpenAI's own client sees it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.door import CLAUDE, PATIENCE_S, Person, chunks_of, text_of, user
from support.upstream import Reply, Upstream, text, thinking

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
USAGE = {
    "input_tokens": 10,
    "output_tokens": 1,
    "cache_read_input_tokens": 200,
    "cache_creation_input_tokens": 30,
}


async def test_call_when_it_names_no_session_then_the_model_answers_with_usage_in_both_spellings(
    ada: Person, claude: Upstream
) -> None:
    claude.script(Reply(text("Hello ", "world \U0001f30a"), usage=USAGE))
    answer = await ada.sdk.chat.completions.create(
        model=CLAUDE,
        messages=[{"role": "system", "content": "Be brief."}, *user("hi")],
    )
    assert answer.object == "chat.completion"
    assert answer.id.startswith("chatcmpl-")
    assert answer.model == CLAUDE
    assert answer.choices[0].message.content == "Hello world \U0001f30a"
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.model_dump(exclude_none=True) == {
        "prompt_tokens": 240,
        "completion_tokens": 20,
        "total_tokens": 260,
        "input_tokens": 10,
        "output_tokens": 20,
        "cache_read_input_tokens": 200,
        "cache_creation_input_tokens": 30,
        "prompt_tokens_details": {"cached_tokens": 200},
        "total_cost": pytest.approx((10 * 3 + 20 * 15 + 200 * 0.3 + 30 * 3.75) / 1e6),
    }
    sent = claude.requests[0].body
    assert [block["text"] for block in sent["system"]] == ["Be brief."]
    assert sent["max_tokens"] == 4096
    assert len(sent["metadata"]["user_id"]) == 32
    assert ada.user_id not in str(sent)


async def test_stream_when_it_is_whole_then_its_chunks_are_the_text_and_no_frame_has_an_id(
    ada: Person, claude: Upstream
) -> None:
    claude.script(Reply([*thinking("hm", signature="s"), *text("Ahoy, ", "é\U0001f30a", index=1)]))
    heard = await ada.stream({"model": CLAUDE, "messages": user("hi")})
    assert heard.headers["content-type"] == "text/event-stream"
    assert heard.headers["x-accel-buffering"] == "no"
    assert heard.text == "Ahoy, é\U0001f30a"
    assert heard.kinds == ["chunk"] * 4 + ["[DONE]"]
    assert {frame.id for frame in heard.frames} == {None}
    first, last = heard.frames[0].json, heard.frames[-2].json
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert last["choices"] == [{"index": 0, "delta": {}, "finish_reason": "stop"}]
    assert len({frame.json["id"] for frame in heard.frames[:-1]}) == 1


async def test_stream_when_usage_is_wanted_then_it_is_the_last_chunk_and_has_no_choices(
    ada: Person, claude: Upstream
) -> None:
    claude.script(Reply(text("Hello"), usage=USAGE))
    chunks = await chunks_of(ada, stream_options={"include_usage": True})
    assert text_of(chunks) == "Hello"
    assert [chunk.usage is None for chunk in chunks] == [True] * (len(chunks) - 1) + [False]
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.prompt_tokens == 240
    assert chunks[-1].usage.model_extra is not None
    assert chunks[-1].usage.model_extra["input_tokens"] == 10


async def test_stream_helper_when_it_reads_a_call_then_it_ends_with_the_whole_completion(
    ada: Person, claude: Upstream
) -> None:
    claude.script(Reply(text("Hello ", "world")))
    async with ada.sdk.chat.completions.stream(model=CLAUDE, messages=user("hi")) as stream:
        deltas = [event.delta async for event in stream if event.type == "content.delta"]
        final = await stream.get_final_completion()
    assert "".join(deltas) == final.choices[0].message.content == "Hello world"


async def test_call_when_it_sets_limits_then_the_model_is_told_them(
    ada: Person, claude: Upstream
) -> None:
    claude.script(
        Reply(text("Hello"), stop_reason="stop_sequence", stop_sequence="END"),
        Reply(text("Hel"), stop_reason="max_tokens"),
        Reply(text("No."), stop_reason="refusal"),
    )
    create = ada.sdk.chat.completions.create
    stopped = await create(
        model=CLAUDE, messages=user("hi"), stop=["END", "FIN"], temperature=0.3, top_p=1
    )
    cut = await create(model=CLAUDE, messages=user("hi"), stop="END", max_tokens=3, temperature=1.7)
    refused = await create(model=CLAUDE, messages=user("hi"), max_completion_tokens=5)
    reasons = [answer.choices[0].finish_reason for answer in (stopped, cut, refused)]
    assert reasons == ["stop", "length", "content_filter"]
    first, second, third = [request.body for request in claude.requests]
    assert (first["stop_sequences"], first["temperature"]) == (["END", "FIN"], 0.3)
    assert "top_p" not in first, "1 asks for nothing, and newer models refuse the two together"
    assert (second["stop_sequences"], second["max_tokens"]) == (["END"], 3)
    assert "temperature" not in second, "above 1 it counts as 1, the default"
    assert third["max_tokens"] == 5


async def test_images_when_they_are_sent_then_the_model_gets_them(
    ada: Person, claude: Upstream
) -> None:
    await ada.sdk.chat.completions.create(
        model=CLAUDE,
        messages=[
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is it?"},
                    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
                    {"type": "image_url", "image_url": {"url": "https://example.org/a.jpg"}},
                ],
            }
        ],
    )
    words, embedded, linked = claude.requests[0].body["messages"][0]["content"]
    assert words["text"] == "What is it?"
    assert embedded["source"] == {"type": "base64", "media_type": "image/png", "data": PIXEL}
    assert linked["source"] == {"type": "url", "url": "https://example.org/a.jpg"}


async def test_user_when_it_is_named_then_the_model_is_told_another_hash(
    ada: Person, claude: Upstream
) -> None:
    for name in ("zoe", "zoe", "max"):
        await ada.sdk.chat.completions.create(model=CLAUDE, messages=user("hi"), user=name)
    first, same, other = [request.body["metadata"]["user_id"] for request in claude.requests]
    assert first == same != other
    assert "zoe" not in first


async def test_demo_when_it_is_asked_without_a_session_then_it_answers(ada: Person) -> None:
    whole = await ada.sdk.chat.completions.create(
        model="demo", messages=user("tell me a long story")
    )
    chunks = await chunks_of(ada, model="demo", messages=user("tell me a long story"))
    assert whole.choices[0].message.content == text_of(chunks)
    assert "octopus \U0001f419" in text_of(chunks)
    assert await ada.sdk.models.retrieve("demo")


@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "stream"])
async def test_client_when_it_leaves_then_the_model_call_ends(
    ada: Person, claude: Upstream, streaming: bool
) -> None:
    claude.script(Reply(text(*["more "] * 3_000), interval_s=0.01))
    body = {"model": CLAUDE, "messages": user("hi"), "stream": streaming}
    asking = asyncio.create_task(ada.chat(body))
    await eventually(lambda: bool(claude.requests))
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await eventually(lambda: claude.cancelled == 1)


async def eventually(holds: Any) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await asyncio.sleep(0.01)
