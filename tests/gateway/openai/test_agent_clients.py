"""What OpenAI's own clients make of an agent: its frames stand beside the text."""

from __future__ import annotations

import asyncio

from openai import OpenAI

from gateway.door import Person, user

STORY = "tell me a long story"


async def story_of(ada: Person) -> str:
    """The whole story, as a stateless call tells it."""
    answer = await ada.sdk.chat.completions.create(model="demo", messages=user(STORY))
    return answer.choices[0].message.content or ""


async def test_stream_when_tools_are_used_then_their_frames_stand_beside_the_text(
    ada: Person,
) -> None:
    session_id = await ada.new_session(permission_mode="accept_edits")
    body = {"messages": user("write a file"), "session_id": session_id}
    heard = await ada.stream(body)
    assert heard.text == await ada.said(session_id)
    beside = [frame.json for frame in heard.frames if frame.kind not in {"chunk", "[DONE]"}]
    assert [frame["type"] for frame in beside] == ["tool_use", "tool_result", "usage"]
    for frame in beside:
        assert "object" not in frame
        assert frame["choices"] == [{"index": 0, "delta": {"content": ""}, "finish_reason": None}]
    use, result, usage = beside
    assert (use["name"], use["input"]["file_path"]) == ("Write", "hello.txt")
    assert result["tool_id"] == use["id"]
    assert (result["name"], result["is_error"], result["exit_code"]) == ("Write", False, None)
    assert isinstance(result["content"], str)
    assert isinstance(result["duration_ms"], int)
    run = (await ada.runs(session_id))[0]
    assert usage["input_tokens"] == run["usage"]["input_tokens"]
    assert usage["output_tokens"] == run["usage"]["output_tokens"]
    assert heard.frames[-1].kind == "[DONE]"
    assert heard.frames[-2].json["choices"][0]["finish_reason"] == "stop"
    for frame in heard.frames[:-2]:
        assert frame.id is not None
        assert frame.id.startswith(f"{session_id}/")
    chunks = [frame.json for frame in heard.frames if frame.kind == "chunk"]
    assert {chunk["id"] for chunk in chunks} == {f"chatcmpl-{run['id']}"}
    assert {chunk["session_id"] for chunk in chunks} == {session_id}
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}


async def test_sdk_when_it_streams_the_agent_then_the_plain_loop_gets_exactly_the_text(
    ada: Person,
) -> None:
    session_id = await ada.new_session(permission_mode="accept_edits")
    extra = {"session_id": session_id}
    said = ""
    async for chunk in await ada.sdk.chat.completions.create(
        model="demo", messages=user("write a file"), stream=True, extra_body=extra
    ):
        said += chunk.choices[0].delta.content or ""
    assert said == await ada.said(session_id)
    assert said.startswith("I write a greeting. ")


async def test_sdk_when_its_stream_helper_reads_the_agent_then_it_passes_over_the_other_frames(
    ada: Person,
) -> None:
    session_id = await ada.new_session(permission_mode="accept_edits")
    async with ada.sdk.chat.completions.stream(
        model="demo",
        messages=user("write a file"),
        extra_body={"session_id": session_id},
        stream_options={"include_usage": True},
    ) as stream:
        deltas = [event.delta async for event in stream if event.type == "content.delta"]
        final = await stream.get_final_completion()
    said = await ada.said(session_id)
    assert "".join(deltas) == final.choices[0].message.content == said
    assert final.choices[0].finish_reason == "stop"
    assert final.usage is not None
    assert (
        final.usage.completion_tokens == (await ada.runs(session_id))[0]["usage"]["output_tokens"]
    )


async def test_sdk_when_it_is_the_blocking_one_then_it_gets_the_same(ada: Person) -> None:
    session_id = await ada.new_session()

    def tell() -> str:
        with OpenAI(base_url=f"{ada.base_url}/v1", api_key=ada.key) as sdk:
            stream = sdk.chat.completions.create(
                model="demo",
                messages=user(STORY),
                stream=True,
                extra_body={"session_id": session_id},
            )
            return "".join(chunk.choices[0].delta.content or "" for chunk in stream)

    assert await asyncio.to_thread(tell) == await story_of(ada)
