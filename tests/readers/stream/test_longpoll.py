"""The long-poll and single events: the same frames, one answer at a time."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from homeport.eventlog.catalogue.tool import ToolFinished
from readers.hall import Hall, slow_client
from support.facts import append, complete, fact, open_message
from support.stream_client import StreamClient

RESULT = "0123456789abcde\u00e9" * (5 * 2**20 // 17 + 1)  # just above 5 MiB of UTF-8


async def get(hall: Hall, path: str, status: int = 200) -> Any:
    async with hall.http.get(hall.path(path)) as response:
        assert response.status == status, await response.text()
        return await response.json()


def finished(content: str) -> ToolFinished:
    return ToolFinished(
        run_id="r",
        turn=1,
        call_id="c",
        tool="Bash",
        status="completed",
        content=content,
        is_error=False,
    )


async def test_events_when_asked_in_pages_then_they_are_what_the_stream_says(hall: Hall) -> None:
    await append(hall.log, hall.stream, fact("a"))
    writer = await open_message(hall.log, hall.stream)
    for kind in ("thinking", "text"):
        writer.block_started(kind)
        writer.delta("\U0001f600" * 20_000)
    await complete(hall.log, hall.stream, writer)
    whole, paged = StreamClient(), StreamClient()
    answer = await get(hall, "events?after=0&limit=1000")
    for frame in answer["events"]:
        whole.apply(frame)
    assert answer["cursor"] == whole.cursor == "4"
    while True:
        answer = await get(hall, f"events?after={paged.cursor}&limit=2")
        for frame in answer["events"]:
            paged.apply(frame)
        assert answer["cursor"] == paged.cursor
        if len(answer["events"]) < 2:
            break
    assert paged.knows() == whole.knows()
    assert whole.texts["m"] == ["\U0001f600" * 20_000] * 2


async def test_events_when_there_is_nothing_then_the_answer_is_empty_and_states_the_cursor(
    hall: Hall,
) -> None:
    assert await get(hall, "events") == {"events": [], "cursor": "1"}
    assert await get(hall, "events?after=1&wait=0") == {"events": [], "cursor": "1"}
    assert await get(hall, "events?after=1&wait=0.01") == {"events": [], "cursor": "1"}
    assert len(hall.pulse) == 0
    assert hall.log.feeds.find(hall.stream) is None


async def test_events_when_it_waits_then_the_first_that_comes_is_the_answer(hall: Hall) -> None:
    waiting = asyncio.create_task(get(hall, "events?after=1&wait=60"))
    await hall.settled(1)
    await append(hall.log, hall.stream, fact("now"))
    answer = await waiting
    assert [event["run_id"] for event in answer["events"]] == ["now"]
    assert answer["cursor"] == "2"


async def test_events_when_it_waits_and_the_server_drains_then_it_is_answered(hall: Hall) -> None:
    waiting = asyncio.create_task(get(hall, "events?after=1&wait=60"))
    await hall.settled(1)
    hall.draining.begin()
    assert await waiting == {"events": [], "cursor": "1"}


@pytest.mark.requirement("F18")
async def test_events_when_they_would_wait_in_a_drain_then_they_are_told_when_to_come_back(
    hall: Hall,
) -> None:
    hall.draining.begin()
    answer = await get(hall, "events?after=1&wait=60", status=503)
    assert answer["error"]["code"] == "server.draining"
    assert (await get(hall, "events?after=1")) == {"events": [], "cursor": "1"}
    there = await get(hall, "events?after=0&wait=60")
    assert (len(there["events"]), there["cursor"]) == (1, "1")


@pytest.mark.requirement("22")
async def test_events_when_it_waits_and_the_caller_is_refused_then_nothing_more_is_told(
    hall: Hall,
) -> None:
    waiting = asyncio.create_task(get(hall, "events?after=1&wait=60", status=401))
    await hall.settled(1)
    hall.guests.refused.add(hall.owner)
    await hall.pulse.check()
    assert (await waiting)["error"]["code"] == "auth.invalid-credential"


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "wait=61", "wait=-1", "wait=nan"])
async def test_events_when_a_limit_is_out_of_bounds_then_it_is_refused(
    hall: Hall, query: str
) -> None:
    answer = await get(hall, f"events?{query}", status=422)
    assert answer["error"]["code"] == "request.unprocessable"


async def test_event_when_asked_for_then_it_comes_whole(hall: Hall) -> None:
    await append(hall.log, hall.stream, fact("a"))
    event = await get(hall, "events/2")
    assert (event["cursor"], event["kind"], event["run_id"]) == ("2", "run.stop_requested", "a")
    assert (await get(hall, "events/3", status=404))["error"]["code"] == "event.not-found"
    await get(hall, "events/0", status=422)
    await get(hall, "events/x", status=422)


async def test_message_when_closed_then_its_event_whole_has_the_text(hall: Hall) -> None:
    writer = await open_message(hall.log, hall.stream)
    writer.block_started("text")
    writer.delta("all of it")
    seq = await complete(hall.log, hall.stream, writer)
    event = await get(hall, f"events/{seq}")
    assert event["blocks"] == [{"type": "text", "text": "all of it"}]


async def test_tool_result_when_it_is_huge_then_a_slow_reader_gets_it_through_its_link(
    hall: Hall,
) -> None:
    await append(hall.log, hall.stream, finished(RESULT), fact("after"))
    async with slow_client(hall, "stream?after=1") as slow:
        while b"run.stop_requested" not in slow.tail:
            assert await slow.take()
        frame = next(event for event in slow.heard() if event.event == "tool.finished").data
    content = frame["content"]
    assert (content["truncated"], content["size"]) == (True, len(RESULT.encode()))
    assert RESULT.startswith(content["preview"])
    assert frame["status"] == "completed"
    assert content["href"] == hall.path("events/2")
    async with slow_client(hall, "events/2", until=b"\r\n\r\n") as slow:
        while not slow.tail.endswith(b'"details":{}}'):
            assert await slow.take()
        assert orjson.loads(slow.body())["content"] == RESULT


async def test_frames_when_a_member_is_just_small_enough_then_it_is_inline(hall: Hall) -> None:
    small, large = "x" * 32 * 1024, "x" * (32 * 1024 + 1)
    await append(hall.log, hall.stream, finished(small), finished(large))
    first, second = (await get(hall, "events?after=1"))["events"]
    assert first["content"] == small
    assert second["content"] == {
        "truncated": True,
        "size": len(large),
        "href": hall.path("events/3"),
        "preview": "x" * 2_000,
    }
