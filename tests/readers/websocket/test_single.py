"""The WebSocket of one session: what comes, how it ends, and how one comes back."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
from websockets.asyncio.client import ClientConnection

from homeport.cli import websocket as server_side
from homeport.eventlog.catalogue.session import SessionDeleted
from homeport.kernel.db.failures import DatabaseUnreachable
from homeport.kernel.ids import new_id
from homeport.readers.stream import reader as reader_module
from homeport.readers.stream.pulse import HEARTBEAT_TICKS, MOST_BEHIND
from readers.hall import LARGEST_MESSAGE, MOST_SOCKETS, Hall
from readers.websocket.slow import slow_socket
from support.facts import append, complete, fact, open_message
from support.sockets import refusal, socket, told, until
from support.sse import heard
from support.stream_client import StreamClient

# How frames travel does not depend on where they are stored.
pytestmark = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)


def ended(connection: ClientConnection) -> tuple[int | None, str | None]:
    """How the server closed the socket."""
    return connection.close_code, connection.close_reason


def clients_of(hall: Hall) -> set[tuple[str, int]]:
    """Who is connected, as the kernel has it."""
    server = urlsplit(hall.address).port
    connections = psutil.Process().net_connections("tcp")
    return {each.raddr for each in connections if each.raddr and each.laddr.port == server}


async def test_socket_when_opened_then_its_first_message_states_the_cursor(hall: Hall) -> None:
    async with socket(hall.address, hall.path("ws"), hall.headers) as connection:
        assert connection.response is not None
        assert "sec-websocket-extensions" not in connection.response.headers
        assert connection.response.headers["x-request-id"]
        (first,) = await until(told(connection), kind="stream.heartbeat")
        assert first.keys() == {"cursor", "kind", "at"}
        assert first["cursor"] == "1"


async def test_socket_when_a_message_is_written_then_it_comes_as_it_happens(hall: Hall) -> None:
    async with socket(hall.address, hall.path("ws"), hall.headers) as connection:
        messages = told(connection)
        await until(messages, kind="stream.heartbeat")
        writer = await open_message(hall.log, hall.stream)
        await until(messages, kind="message.started")
        writer.block_started("text")
        writer.delta("a\nb\r\n\u2028\U0001f600")
        got = await until(messages, kind="message.delta")
        assert [each["cursor"] for each in got] == ["2.0.0", "2.0.7"]
        assert got[1]["text"] == "a\nb\r\n\u2028\U0001f600"
        await complete(hall.log, hall.stream, writer)
        assert (await until(messages, kind="message.completed"))[-1]["cursor"] == "3"


async def test_socket_when_compared_with_sse_then_the_frames_are_the_same_json(hall: Hall) -> None:
    writer = await open_message(hall.log, hall.stream)
    writer.block_started("text")
    writer.delta("x" * 70_000)
    await complete(hall.log, hall.stream, writer)
    last = await append(hall.log, hall.stream, fact("last"))
    async with (
        socket(hall.address, hall.path("ws?after=0"), hall.headers) as connection,
        hall.http.get(hall.path("stream?after=0")) as response,
    ):
        by_socket = await until(told(connection), cursor=str(last))
        by_sse: list[dict[str, Any]] = []
        async for event in heard(response):
            by_sse.append(event.data)
            if event.id == str(last):
                break
    live = {"stream.heartbeat", "block.started", "message.delta"}
    for frames in (by_socket, by_sse):
        for frame in frames:
            if frame["kind"] in live:
                del frame["at"]  # when it was made, which may be twice
    assert by_socket == by_sse


async def test_socket_when_both_cursors_are_given_then_the_header_counts(hall: Hall) -> None:
    await append(hall.log, hall.stream, *[fact(str(n)) for n in range(2, 6)])
    headers = {**hall.headers, "Last-Event-ID": "4"}
    async with socket(hall.address, hall.path("ws?after=1"), headers) as connection:
        got = await until(told(connection), kind="run.stop_requested")
    assert [each["cursor"] for each in got] == ["4", "5"]


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("after=x", 400, "stream.bad-cursor"),
        ("after=", 400, "stream.bad-cursor"),
        ("after=1.0.4", 400, "stream.bad-cursor"),
        ("after=99", 409, "stream.cursor-ahead"),
    ],
)
async def test_socket_when_the_cursor_is_not_ours_then_the_handshake_says_so(
    hall: Hall, query: str, status: int, code: str
) -> None:
    refused = await refusal(hall.address, hall.path(f"ws?{query}"), hall.headers)
    assert (refused.status, refused.code) == (status, code)
    assert refused.headers["content-type"] == "application/problem+json"
    assert hall.log.feeds.find(hall.stream) is None
    assert len(hall.sockets) == 0


@pytest.mark.requirement("26")
async def test_socket_when_the_session_is_somebody_elses_then_it_is_not_found(hall: Hall) -> None:
    foreign = {"Authorization": f"Bearer {new_id()}"}
    for path, headers in (
        (hall.path("ws?after=0"), foreign),
        (f"/v1/sessions/{new_id()}/ws", hall.headers),
        ("/v1/sessions/%00/ws", hall.headers),
    ):
        refused = await refusal(hall.address, path, headers)
        assert (refused.status, refused.code) == (404, "session.not-found")


async def test_socket_when_the_path_is_none_of_ours_then_it_is_not_found(hall: Hall) -> None:
    refused = await refusal(hall.address, "/v1/nowhere", hall.headers)
    assert (refused.status, refused.code) == (404, "request.path-not-found")


async def test_socket_when_nothing_comes_then_it_says_every_fifteenth_second_that_it_lives(
    hall: Hall,
) -> None:
    async with socket(hall.address, hall.path("ws"), hall.headers) as connection:
        messages = told(connection)
        await until(messages, kind="stream.heartbeat")
        await append(hall.log, hall.stream, fact())
        await until(messages, kind="run.stop_requested")
        for _ in range(HEARTBEAT_TICKS):
            hall.pulse.beat()
        (beat,) = await until(messages, kind="stream.heartbeat")
        assert beat["cursor"] == "2"


async def test_socket_when_the_client_pings_then_it_is_answered(hall: Hall) -> None:
    async with socket(hall.address, hall.path("ws"), hall.headers) as connection:
        async with asyncio.timeout(30):
            await (await connection.ping(b"here"))
        await until(told(connection), kind="stream.heartbeat")


async def test_socket_when_the_client_goes_then_nothing_of_it_stays(hall: Hall) -> None:
    async with socket(hall.address, hall.path("ws"), hall.headers) as connection:
        await until(told(connection), kind="stream.heartbeat")
        assert (len(hall.pulse), len(hall.sockets)) == (1, 1)
    await hall.settled(0)
    while len(hall.sockets) or hall.log.feeds.find(hall.stream) is not None:
        await asyncio.sleep(0.005)


@pytest.mark.parametrize("message", ["hello", b"\x00"])
async def test_socket_when_the_client_says_something_then_it_is_told_that_nobody_listens(
    hall: Hall, message: str | bytes
) -> None:
    async with socket(hall.address, hall.path("ws"), hall.headers) as connection:
        await connection.send(message)
        assert [each["kind"] async for each in told(connection)] == ["stream.heartbeat"]
        assert ended(connection) == (1003, "socket.read-only")
    await hall.settled(0)


async def test_socket_when_a_message_is_too_large_then_it_is_closed(hall: Hall) -> None:
    async with socket(hall.address, hall.path("ws"), hall.headers) as connection:
        await until(told(connection), kind="stream.heartbeat")
        await connection.send("x" * (LARGEST_MESSAGE + 1))
        assert [each async for each in told(connection)] == []
        assert connection.close_code == 1009
    await hall.settled(0)
    assert len(hall.sockets) == 0


@pytest.mark.requirement("22", "32")
@pytest.mark.parametrize("silent", [False, True])
async def test_socket_when_the_caller_is_refused_then_it_ends_where_one_can_resume(
    hall: Hall, silent: bool
) -> None:
    async with socket(hall.address, hall.path("ws"), hall.headers) as connection:
        messages = told(connection)
        await until(messages, kind="stream.heartbeat")
        if silent:
            hall.guests.silent = True
        else:
            hall.guests.refused.add(hall.owner)
        await hall.pulse.check()
        await append(hall.log, hall.stream, fact("unheard"))
        (last,) = [each async for each in messages]
        assert (last["kind"], last["code"]) == ("stream.ended", "auth.invalid-credential")
        assert ended(connection) == (1008, "auth.invalid-credential")
    hall.guests.silent = False
    hall.guests.refused.clear()
    path = hall.path(f"ws?after={last['cursor']}")
    async with socket(hall.address, path, hall.headers) as connection:
        got = await until(told(connection), kind="run.stop_requested")
        assert got[-1]["run_id"] == "unheard"


async def test_socket_when_the_server_drains_then_it_says_when_to_come_back(hall: Hall) -> None:
    async with socket(hall.address, hall.path("ws"), hall.headers) as connection:
        messages = told(connection)
        await until(messages, kind="stream.heartbeat")
        hall.draining.begin()
        (last,) = [each async for each in messages]
        assert (last["kind"], last["cursor"]) == ("server.draining", "1")
        assert 500 <= last["retry_ms"] <= 3_000
        assert ended(connection) == (1001, "server.draining")
    await hall.sockets.ended()
    assert len(hall.sockets) == 0
    async with socket(hall.address, hall.path("ws"), hall.headers) as late:
        assert (await until(told(late), kind="server.draining"))[-1]["cursor"] == "1"


async def test_socket_when_the_session_is_deleted_then_it_ends_with_that(hall: Hall) -> None:
    async with socket(hall.address, hall.path("ws"), hall.headers) as connection:
        messages = told(connection)
        await until(messages, kind="stream.heartbeat")
        await append(hall.log, hall.stream, SessionDeleted(session_id=hall.session_id))
        assert [each["kind"] async for each in messages] == ["session.deleted"]
        assert ended(connection) == (1000, "session.deleted")


async def test_socket_when_the_database_fails_then_it_ends_where_one_can_resume(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unreachable(*_: object) -> None:
        raise DatabaseUnreachable

    await append(hall.log, hall.stream, fact())
    monkeypatch.setattr(reader_module.read, "records_after", unreachable)
    async with socket(hall.address, hall.path("ws?after=1"), hall.headers) as connection:
        _, last = [each async for each in told(connection)]
        assert (last["kind"], last["code"]) == ("stream.ended", DatabaseUnreachable.code)
        assert ended(connection) == (1013, DatabaseUnreachable.code)
    monkeypatch.undo()
    path = hall.path(f"ws?after={last['cursor']}")
    async with socket(hall.address, path, hall.headers) as connection:
        await until(told(connection), kind="run.stop_requested")


@pytest.mark.requirement("F13")
async def test_socket_when_its_client_is_stuck_then_it_is_dropped_and_nobody_else_waits(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_side, "LINGER_S", 0.2)
    stuck, fast, written = StreamClient(), StreamClient(), 0
    async with (
        slow_socket(hall.address, hall.path("ws?after=1"), hall.owner) as slow,
        socket(hall.address, hall.path("ws?after=1"), hall.headers) as other,
    ):
        await hall.settled(2)
        messages = told(other)
        writer = await open_message(hall.log, hall.stream)
        writer.block_started("text")
        while len(hall.sockets) == 2:  # the kernel's buffers first, then 256 KiB beyond
            writer.delta("\U0001f600 abc" * 800)
            written += 1
            assert written < 20_000
            while fast.cursor != f"2.0.{written * 4_000}":  # the other one keeps up all the time
                fast.apply(await anext(messages))
            hall.pulse.beat()
            await asyncio.sleep(0)
        assert written * 4_000 > MOST_BEHIND
        await complete(hall.log, hall.stream, writer)
        for frame in await until(messages, kind="message.completed"):
            fast.apply(frame)
        while slow.port in {port for _, port in clients_of(hall)}:
            await asyncio.sleep(0.02)  # the server waits for it no longer than LINGER_S
        await slow.take_all()
        for frame in slow.messages():
            stuck.apply(frame)
    assert all(event["kind"] != "message.completed" for event in stuck.events)
    path = hall.path(f"ws?after={stuck.cursor}")
    async with socket(hall.address, path, hall.headers) as connection:
        for frame in await until(told(connection), kind="message.completed"):
            stuck.apply(frame)
    assert stuck.texts == fast.texts == {"m": ["\U0001f600 abc" * 800 * written]}


async def test_socket_when_its_client_is_slow_and_nothing_moves_on_then_it_gets_everything(
    hall: Hall,
) -> None:
    writer = await open_message(hall.log, hall.stream)
    writer.block_started("text")
    writer.delta("x" * 3_000_000)
    await complete(hall.log, hall.stream, writer)
    client = StreamClient()
    async with slow_socket(hall.address, hall.path("ws?after=1"), hall.owner) as slow:
        while b"message.completed" not in slow.got[-4_096:]:
            hall.pulse.beat()
            assert await slow.take()
        for frame in slow.messages():
            client.apply(frame)
    assert client.texts == {"m": ["x" * 3_000_000]}


async def test_socket_when_one_user_has_many_then_the_next_is_refused_and_others_are_not(
    hall: Hall,
) -> None:
    path = hall.path("ws")
    open_ones = [socket(hall.address, path, hall.headers) for _ in range(MOST_SOCKETS)]
    connections = [await each.__aenter__() for each in open_ones]
    refused = await refusal(hall.address, path, hall.headers)
    assert (refused.status, refused.code) == (429, "socket.too-many")
    refused = await refusal(hall.address, "/v1/ws", hall.headers)
    assert (refused.status, refused.code) == (429, "socket.too-many")
    async with socket(hall.address, "/v1/ws", {"Authorization": f"Bearer {new_id()}"}):
        pass
    await connections[0].close()
    while len(hall.sockets) >= MOST_SOCKETS:
        await asyncio.sleep(0.005)
    async with socket(hall.address, path, hall.headers) as connection:
        await until(told(connection), kind="stream.heartbeat")
    for each in open_ones:
        await each.__aexit__(None, None, None)
