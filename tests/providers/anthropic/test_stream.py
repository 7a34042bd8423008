"""Claude over a real socket: everything that a stream can hold, cut in every way."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.providers import BlockStarted, Usage, UsageSeen
from homeport.providers.anthropic import AnthropicProvider
from homeport.providers.anthropic.assembler import Assembler
from homeport.providers.anthropic.reader import EventReader
from homeport.providers.port import ProviderEvent
from support.conversation import ask, collect, completed, streamed
from support.upstream import (
    Reply,
    Upstream,
    delta,
    event,
    start_block,
    stop_block,
    text,
    thinking,
    tool_use,
)

CITATION = {"type": "char_location", "cited_text": "x", "document_index": 0}
RICH = [
    *thinking("I look", " first.", signature="c2ln", index=0),
    start_block(1, type="redacted_thinking", data="b3BhcXVl"),
    stop_block(1),
    *text("Grüße ", "an 👩‍🚀", " & 日本", index=2),
    *tool_use("Read", '{"file_path"', ': "a.py"}', id="toolu_1", index=3),
    event("ping"),
    *tool_use("Bash", '{"command": "echo ', '\\ud83d\\ude00"}', id="toolu_2", index=4),
    *tool_use("Glob", id="toolu_3", index=5),
    start_block(6, type="text", text="", citations=[]),
    delta(6, "text_delta", text="cited"),
    delta(6, "citations_delta", citation=CITATION),
    delta(6, "citations_delta", citation=CITATION),
    stop_block(6),
    start_block(7, type="text", text=""),
    stop_block(7),
]
RICH_BLOCKS = [
    {"type": "thinking", "signature": "c2ln", "text": "I look first."},
    {"type": "redacted_thinking", "data": "b3BhcXVl", "text": ""},
    {"type": "text", "text": "Grüße an 👩‍🚀 & 日本"},
    {"type": "tool_use", "id": "toolu_1", "name": "Read", "text": '{"file_path": "a.py"}'},
    {
        "type": "tool_use",
        "id": "toolu_2",
        "name": "Bash",
        "text": '{"command": "echo \\ud83d\\ude00"}',
    },
    {"type": "tool_use", "id": "toolu_3", "name": "Glob", "text": ""},
    {"type": "text", "citations": [CITATION, CITATION], "text": "cited"},
    {"type": "text", "text": ""},
]


async def test_answer_with_every_kind_of_block_is_streamed_and_stored(
    server: Upstream, claude: AnthropicProvider
) -> None:
    server.script(Reply(RICH, stop_reason="tool_use"))
    events = await collect(claude.stream(ask()))
    last = completed(events)
    assert last.blocks == RICH_BLOCKS
    assert streamed(events) == [(str(b["type"]), str(b["text"])) for b in RICH_BLOCKS]
    started = [event for event in events if isinstance(event, BlockStarted)]
    assert (started[3].id, started[3].name) == ("toolu_1", "Read")


async def test_request_is_built_and_signed_by_the_sdk(
    server: Upstream, claude: AnthropicProvider
) -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A"}}
    asked = ask("what is this?", system="Be brief.", max_tokens=9)
    asked.messages[0]["content"].insert(0, image)
    await collect(claude.stream(asked))
    received = server.requests[0]
    assert received.headers["authorization"] == "Bearer sk-test"
    assert received.headers["anthropic-beta"] == "beta-1,beta-2"
    assert received.headers["anthropic-version"]
    assert received.headers["content-type"] == "application/json"
    assert received.headers["user-agent"].startswith("AsyncAnthropic/Python")
    assert (received.body["stream"], received.body["max_tokens"]) == (True, 9)
    assert received.body["messages"][0]["content"][0] == image
    assert received.body["system"][-1]["cache_control"] == {"type": "ephemeral"}


async def test_usage_is_told_with_its_cache_counts_as_soon_as_known(
    server: Upstream, claude: AnthropicProvider
) -> None:
    usage = {
        "input_tokens": 3,
        "output_tokens": 1,
        "cache_read_input_tokens": 50,
        "cache_creation_input_tokens": 7,
    }
    server.script(Reply(text("x"), usage=usage, output_tokens=12))
    events = await collect(claude.stream(ask()))
    seen = [event.usage for event in events if isinstance(event, UsageSeen)]
    assert seen == [Usage(3, 1, 50, 7), Usage(3, 12, 50, 7)]
    assert isinstance(events[0], UsageSeen)
    assert completed(events).usage == seen[-1]


@pytest.mark.parametrize(
    "reason",
    [
        "end_turn",
        "max_tokens",
        "tool_use",
        "stop_sequence",
        "pause_turn",
        "refusal",
        "model_context_window_exceeded",
        "something_new",
    ],
)
async def test_stop_reason_is_passed_on(
    server: Upstream, claude: AnthropicProvider, reason: str
) -> None:
    details = {"type": "refusal", "category": "cyber", "explanation": None}
    server.script(Reply(text("x"), stop_reason=reason, stop_sequence="END", stop_details=details))
    last = completed(await collect(claude.stream(ask())))
    assert (last.stop_reason, last.stop_sequence, last.stop_details) == (reason, "END", details)


async def test_tool_input_cut_by_length_is_kept_raw(
    server: Upstream, claude: AnthropicProvider
) -> None:
    cut = tool_use("Write", '{"file_path": "a', id="toolu_1")
    server.script(Reply(cut, stop_reason="max_tokens"))
    last = completed(await collect(claude.stream(ask())))
    assert last.blocks[0]["text"] == '{"file_path": "a'


@pytest.mark.requirement("F12")
@pytest.mark.parametrize("size", [1, 2, 3, 7])
async def test_bytes_cut_anywhere_make_the_same_answer(
    server: Upstream, claude: AnthropicProvider, size: int
) -> None:
    """One byte at a time also cuts inside every UTF-8 character and every line."""
    server.script(Reply(RICH, cuts=[size]))
    events = await collect(claude.stream(ask()))
    assert completed(events).blocks == RICH_BLOCKS
    assert "\ufffd" not in "".join(written for _, written in streamed(events))


def read(body: bytes, sizes: list[int]) -> list[ProviderEvent]:
    reader = EventReader(Assembler())
    seen: list[ProviderEvent] = []
    rest = body
    for size in sizes:
        if rest:
            seen += reader.feed(rest[: size or 1])
            rest = rest[size or 1 :]
    if rest:
        seen += reader.feed(rest)
    assert reader.failure is None
    return seen


@pytest.mark.requirement("F12")
@given(
    pieces=st.lists(st.text('aé日😀\n"\\', min_size=1, max_size=5), max_size=6),
    sizes=st.lists(st.integers(1, 60), max_size=40),
    ascii_only=st.booleans(),
)
def test_any_text_cut_anywhere_is_what_was_written(
    pieces: list[str], sizes: list[int], *, ascii_only: bool
) -> None:
    reply = Reply(text(*pieces))
    body = b"".join(reply.pieces("m"))
    if not ascii_only:
        lines = body.decode().split("\n")
        body = "\n".join(
            "data: " + json.dumps(json.loads(line[6:]), ensure_ascii=False)
            if line.startswith("data: ")
            else line
            for line in lines
        ).encode()
    events = read(body, sizes)
    assert streamed(events) == [("text", "".join(pieces))]
    assert completed(events).blocks == [{"type": "text", "text": "".join(pieces)}]


@pytest.mark.requirement("F12")
async def test_surrogate_pair_cut_between_two_deltas_is_one_character(
    server: Upstream, claude: AnthropicProvider
) -> None:
    server.script(Reply(text("a\ud83d", "\ude00b", "\ud83d", "c", "\ude00", "\0", "\ud83d")))
    events = await collect(claude.stream(ask()))
    whole = "a😀b\ufffdc\ufffd\ufffd\ufffd"
    assert streamed(events) == [("text", whole)]
    assert completed(events).blocks[0]["text"] == whole


async def test_interleaved_blocks_are_made_sequential(
    server: Upstream, claude: AnthropicProvider
) -> None:
    first, second, third = text("1a", "1b", index=0), text("2a", index=1), text("3a", index=2)
    mixed = [
        first[0], second[0], first[1], second[1], third[0], second[2], third[1], first[2], first[3],
        third[2],
    ]  # fmt: skip
    server.script(Reply(mixed))
    events = await collect(claude.stream(ask()))
    assert streamed(events) == [("text", "1a1b"), ("text", "2a"), ("text", "3a")]
    assert [block["text"] for block in completed(events).blocks] == ["1a1b", "2a", "3a"]


async def test_blocks_that_never_stop_are_closed_by_the_end(
    server: Upstream, claude: AnthropicProvider
) -> None:
    first, second = text("1\ud83d", index=0), text("2", index=1)
    server.script(Reply([*first[:-1], *second[:-1]]))
    events = await collect(claude.stream(ask()))
    assert streamed(events) == [("text", "1\ufffd"), ("text", "2")]


async def test_unknown_kinds_are_kept_or_passed_over(
    server: Upstream, claude: AnthropicProvider
) -> None:
    result: dict[str, Any] = {"type": "web_search_tool_result", "tool_use_id": "s", "content": []}
    strange = [
        event("something_new", index=0),
        start_block(0, type="server_tool_use", id="s", name="web_search", input={}),
        delta(0, "input_json_delta", partial_json='{"query": "x"}'),
        delta(0, "something_new_delta", value=1),
        stop_block(0),
        start_block(1, **result),
        stop_block(1),
    ]
    server.script(Reply(strange))
    assert completed(await collect(claude.stream(ask()))).blocks == [
        {"type": "server_tool_use", "id": "s", "name": "web_search", "text": '{"query": "x"}'},
        {**result, "text": ""},
    ]


async def test_text_that_the_start_of_a_block_carries_is_streamed(
    server: Upstream, claude: AnthropicProvider
) -> None:
    server.script(Reply([start_block(0, type="text", text="early"), stop_block(0)]))
    assert streamed(await collect(claude.stream(ask()))) == [("text", "early")]


async def test_answer_that_is_whole_but_for_its_last_event_is_completed(
    server: Upstream, claude: AnthropicProvider
) -> None:
    reply = Reply(text("x"))
    server.script(Reply(reply.pieces("m")[:-1], bare=True))
    assert completed(await collect(claude.stream(ask()))).stop_reason == "end_turn"


async def test_closing_the_stream_cancels_the_call(
    server: Upstream, claude: AnthropicProvider
) -> None:
    server.script(Reply(text("a", "b"), end="hang"))
    stream = claude.stream(ask())
    async for seen in stream:
        if isinstance(seen, BlockStarted):
            break
    await stream.aclose()
    await server.left.wait()
    assert server.cancelled == 1
