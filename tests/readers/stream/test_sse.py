"""The stream over a real socket: what comes, when it ends, and how one comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from starlette.types import Message

from homeport.eventlog.catalogue.session import SessionDeleted
from homeport.kernel.db.failures import DatabaseUnreachable
from homeport.kernel.ids import new_id
from homeport.readers.stream import reader as reader_module
from homeport.readers.stream.frame import Frame
from homeport.readers.stream.pulse import HEARTBEAT_TICKS, MOST_BEHIND
from homeport.readers.stream.reader import Reader
from homeport.readers.stream.sse import EventStream, EventWire
from readers.hall import Hall, slow_client
from support.facts import append, complete, fact, open_message
from support.sse import Heard, heard
from support.stream_client import StreamClient

# How frames travel does not depend on where they are stored; test_resume.py reads from both.
pytestmark = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)


async def until(events: AsyncIterator[Heard], kind: str) -> list[Heard]:
    """The events up to the first of `kind`."""
    got: list[Heard] = []
    async for event in events:
        got.append(event)
        if event.event == kind:
            return got
    raise AssertionError(f"the stream ended before {kind}: {got}")


def kinds(events: list[Heard]) -> list[str]:
    return [event.event for event in events]


async def test_stream_when_opened_then_its_headers_suit_proxies_and_it_states_the_cursor(
    hall: Hall,
) -> None:
    headers = {"Accept-Encoding": "gzip, br"}
    async with hall.http.get(hall.path("stream"), headers=headers) as response:
        assert response.status == 200
        assert response.headers["content-type"] == "text/event-stream"
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["x-accel-buffering"] == "no"
        assert "content-encoding" not in response.headers
        assert "content-length" not in response.headers
        (first,) = await until(heard(response), "stream.heartbeat")
        assert first.id == "1"


async def test_stream_when_a_message_is_written_then_it_comes_as_it_happens(hall: Hall) -> None:
    async with hall.http.get(hall.path("stream")) as response:
        events = heard(response)
        await until(events, "stream.heartbeat")
        writer = await open_message(hall.log, hall.stream)
        assert kinds(await until(events, "message.started")) == ["message.started"]
        writer.block_started("text")
        writer.delta("a\nb\r\n\u2028\U0001f600")
        got = await until(events, "message.delta")
        assert [(event.event, event.id) for event in got] == [
            ("block.started", "2.0.0"),
            ("message.delta", "2.0.7"),
        ]
        assert got[1].data["text"] == "a\nb\r\n\u2028\U0001f600"
        await append(hall.log, hall.stream, fact())
        assert (await until(events, "run.stop_requested"))[0].id == "3.0.7"
        await complete(hall.log, hall.stream, writer)
        assert (await until(events, "message.completed"))[-1].id == "4"


async def test_stream_when_both_cursors_are_given_then_the_header_counts(hall: Hall) -> None:
    await append(hall.log, hall.stream, *[fact(str(n)) for n in range(2, 6)])
    path = hall.path("stream?after=1")
    async with hall.http.get(path, headers={"Last-Event-ID": "4"}) as response:
        got = await until(heard(response), "run.stop_requested")
    assert [event.id for event in got] == ["4", "5"]
    async with hall.http.get(path, headers={"Last-Event-ID": ""}) as response:
        got = await until(heard(response), "run.stop_requested")
    assert [event.id for event in got] == ["1", "2"]


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("after=x", 400, "stream.bad-cursor"),
        ("after=", 400, "stream.bad-cursor"),
        ("after=" + "1" * 500, 400, "stream.bad-cursor"),
        ("after=1.0.4", 400, "stream.bad-cursor"),
        ("after=99", 409, "stream.cursor-ahead"),
    ],
)
@pytest.mark.parametrize("place", ["stream", "events"])
async def test_cursor_when_it_is_not_ours_then_the_answer_says_so(
    hall: Hall, place: str, query: str, status: int, code: str
) -> None:
    async with hall.http.get(hall.path(f"{place}?{query}")) as response:
        assert response.status == status
        assert response.headers["content-type"] == "application/problem+json"
        assert (await response.json())["error"]["code"] == code
    assert hall.log.feeds.find(hall.stream) is None


@pytest.mark.requirement("26")
@pytest.mark.parametrize("place", ["stream", "events", "events/1"])
async def test_session_when_it_is_somebody_elses_then_it_is_not_found(
    hall: Hall, place: str
) -> None:
    foreign = {"Authorization": f"Bearer {new_id()}"}
    async with hall.http.get(hall.path(place), headers=foreign) as response:
        assert response.status == 404
        assert (await response.json())["error"]["code"] == "session.not-found"
    nowhere = f"/v1/sessions/{new_id()}/{place}"
    async with hall.http.get(nowhere) as response:
        assert response.status == 404


async def test_stream_when_nothing_comes_then_it_says_every_fifteenth_second_that_it_lives(
    hall: Hall,
) -> None:
    async with hall.http.get(hall.path("stream")) as response:
        events = heard(response)
        await until(events, "stream.heartbeat")
        await asyncio.sleep(0)
        for _ in range(HEARTBEAT_TICKS):
            hall.pulse.beat()
        (beat,) = await until(events, "stream.heartbeat")
        assert beat.id == "1"
        for _ in range(HEARTBEAT_TICKS - 3):  # the fixture's own timer may add a beat or two
            hall.pulse.beat()
        await append(hall.log, hall.stream, fact())
        assert kinds(await until(events, "run.stop_requested")) == ["run.stop_requested"]
        for _ in range(HEARTBEAT_TICKS):
            hall.pulse.beat()
        (beat,) = await until(events, "stream.heartbeat")
        assert beat.id == "2"


async def test_stream_when_the_client_goes_then_nothing_of_it_stays(hall: Hall) -> None:
    async with hall.http.get(hall.path("stream")) as response:
        await until(heard(response), "stream.heartbeat")
        assert len(hall.pulse) == 1
        assert hall.log.feeds.find(hall.stream) is not None
        response.close()
    await hall.settled(0)
    while hall.log.feeds.find(hall.stream) is not None:
        await asyncio.sleep(0.005)


@pytest.mark.requirement("22")
@pytest.mark.parametrize("silent", [False, True])
async def test_stream_when_the_caller_is_refused_then_it_ends(hall: Hall, silent: bool) -> None:
    async with hall.http.get(hall.path("stream")) as response:
        events = heard(response)
        await until(events, "stream.heartbeat")
        if silent:
            hall.guests.silent = True
        else:
            hall.guests.refused.add(hall.owner)
        await hall.pulse.check()
        await append(hall.log, hall.stream, fact())
        assert [event async for event in events] == []
    await hall.settled(0)


async def test_stream_when_another_caller_is_refused_then_it_stays(hall: Hall) -> None:
    async with hall.http.get(hall.path("stream")) as response:
        events = heard(response)
        await until(events, "stream.heartbeat")
        hall.guests.refused.add("another")
        await hall.pulse.check()
        await append(hall.log, hall.stream, fact())
        await until(events, "run.stop_requested")


@pytest.mark.requirement("F18")
async def test_stream_when_the_server_drains_then_it_is_told_and_ends_whole(hall: Hall) -> None:
    async with hall.http.get(hall.path("stream")) as response:
        events = heard(response)
        await until(events, "stream.heartbeat")
        hall.draining.begin()
        (last,) = [event async for event in events]
    assert last.event == "server.draining"
    assert last.id == "1"
    assert last.retry == last.data["retry_ms"] > 0
    async with hall.http.get(hall.path("stream?after=0")) as response:
        assert kinds([event async for event in heard(response)]) == [
            "stream.heartbeat",
            "server.draining",
        ]


async def test_stream_when_the_session_is_deleted_then_that_is_the_last_it_hears(
    hall: Hall,
) -> None:
    async with hall.http.get(hall.path("stream")) as response:
        events = heard(response)
        await until(events, "stream.heartbeat")
        await append(hall.log, hall.stream, SessionDeleted(session_id=hall.session_id))
        assert kinds([event async for event in events]) == ["session.deleted"]


async def test_stream_when_the_database_fails_then_it_ends_and_can_be_resumed(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unreachable(*_: object) -> None:
        raise DatabaseUnreachable

    await append(hall.log, hall.stream, fact())
    monkeypatch.setattr(reader_module.read, "records_after", unreachable)
    async with hall.http.get(hall.path("stream?after=1")) as response:
        (only,) = [event async for event in heard(response)]
    monkeypatch.undo()
    async with hall.http.get(hall.path(f"stream?after={only.id}")) as response:
        assert (await until(heard(response), "run.stop_requested"))[-1].id == "2"


async def test_streams_when_they_wait_then_they_hold_no_database_session(hall: Hall) -> None:
    answers = [await hall.http.get(hall.path("stream")) for _ in range(40)]
    for answer in answers:
        await until(heard(answer), "stream.heartbeat")
    await hall.settled(40)
    pool = hall.log.database.reader.pool
    while pool.checkedout():  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
        await asyncio.sleep(0.005)  # the log's own poll comes and goes
    for answer in answers:
        answer.close()


async def test_stream_when_its_reader_is_stuck_then_it_is_dropped_and_resumes_without_loss(
    hall: Hall,
) -> None:
    client, written = StreamClient(), 0
    async with slow_client(hall, "stream?after=1") as slow:
        writer = await open_message(hall.log, hall.stream)
        writer.block_started("text")
        while len(hall.pulse) or not written:  # the kernel's buffers first, then 256 KiB beyond
            writer.delta("\U0001f600 abc" * 800)
            written += 1
            assert written < 20_000
            hall.pulse.beat()
            await asyncio.sleep(0)
        assert written * 4_000 > MOST_BEHIND
        await complete(hall.log, hall.stream, writer)
        while await slow.take():
            pass
        for event in slow.heard():
            client.apply(event.data)
    assert all(event["kind"] != "message.completed" for event in client.events)
    async with hall.http.get(hall.path(f"stream?after={client.cursor}")) as response:
        for event in await until(heard(response), "message.completed"):
            client.apply(event.data)
    assert client.texts == {"m": ["\U0001f600 abc" * 800 * written]}


async def test_stream_when_its_reader_is_slow_and_nothing_moves_on_then_it_gets_everything(
    hall: Hall,
) -> None:
    writer = await open_message(hall.log, hall.stream)
    writer.block_started("text")
    writer.delta("x" * 3_000_000)
    await complete(hall.log, hall.stream, writer)
    client = StreamClient()
    async with slow_client(hall, "stream?after=1") as slow:
        while b"event: message.completed" not in slow.tail:
            hall.pulse.beat()
            assert await slow.take()
        for event in slow.heard():
            client.apply(event.data)
    assert client.texts == {"m": ["x" * 3_000_000]}


class FewWords(EventWire):
    """A wire that has no word for most of what happens."""

    def opening(self, reader: Reader) -> bytes:
        return b""

    def encode(self, frames: Sequence[Frame]) -> bytes:
        known = [frame for frame in frames if frame.kind == "run.stop_requested"]
        return super().encode(known) if known else b""


async def test_stream_when_its_wire_has_no_word_for_a_heart_beat_then_it_waits_on(
    hall: Hall,
) -> None:
    caller = await hall.guests.identify(hall.owner, keys_only=False)
    sent, gone = asyncio.Queue[Message](), asyncio.Event()

    async def receive() -> Message:
        await gone.wait()
        return {"type": "http.disconnect"}

    answer = EventStream(
        hall.log, hall.pulse, caller, stream=hall.stream, after="1", wire=FewWords()
    )
    serving = asyncio.create_task(answer({"type": "http"}, receive, sent.put))
    assert (await sent.get())["type"] == "http.response.start"
    for _ in range(3):
        for _ in range(HEARTBEAT_TICKS):
            hall.pulse.beat()
        await asyncio.sleep(0.01)  # a line that spins would not let anybody come back from here
    await append(hall.log, hall.stream, fact("heard"))
    assert b"heard" in (await sent.get())["body"]
    gone.set()
    await serving
