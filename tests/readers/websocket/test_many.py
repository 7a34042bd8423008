"""The WebSocket of many sessions: subscriptions, answers, and how it ends."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from homeport.eventlog.catalogue.session import SessionDeleted
from homeport.kernel.db.failures import DatabaseUnreachable
from homeport.kernel.ids import new_id
from homeport.readers.stream import reader as reader_module
from homeport.readers.stream.pulse import HEARTBEAT_TICKS, MOST_BEHIND
from homeport.sessions.access import stream_of
from readers.hall import LARGEST_MESSAGE, Hall
from readers.websocket.slow import SlowSocket, slow_socket
from support.facts import append, complete, fact, open_message
from support.sockets import desk, socket, told
from support.stream_client import StreamClient

MANY_COMMANDS = 20_000
pytestmark = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)


async def test_subscription_when_made_then_its_answer_comes_before_its_first_frame(
    hall: Hall,
) -> None:
    async with desk(hall.address, hall.headers) as client:
        answer = await client.ask("subscribe", session_id=hall.session_id)
        assert answer == {
            "type": "ack",
            "id": "1",
            "result": {"session_id": hall.session_id, "cursor": "1"},
        }
        assert client.events == []
        assert (await client.until("stream.heartbeat"))["cursor"] == "1"


async def test_subscriptions_when_there_are_two_then_each_has_its_own_cursor(hall: Hall) -> None:
    other = await hall.begin()
    async with desk(hall.address, hall.headers) as client:
        await client.ask("subscribe", session_id=hall.session_id)
        await append(hall.log, stream_of(other), fact("earlier"))
        await client.ask("subscribe", session_id=other, after="0")
        assert (await client.until("session.created", other))["cursor"] == "1"
        assert (await client.until("run.stop_requested", other))["run_id"] == "earlier"
        await append(hall.log, hall.stream, fact("here"))
        await append(hall.log, stream_of(other), fact("there"))
        assert {
            (where, (await client.until("run.stop_requested", where))["run_id"])
            for where in (hall.session_id, other)
        } == {(hall.session_id, "here"), (other, "there")}


async def test_subscription_when_ended_and_made_again_then_nothing_is_missed_or_repeated(
    hall: Hall,
) -> None:
    whole = StreamClient()
    async with desk(hall.address, hall.headers) as client:
        writer = await open_message(hall.log, hall.stream)
        writer.block_started("text")
        cursor, broken = "1", StreamClient()
        for number in range(30):
            await client.ask("subscribe", session_id=hall.session_id, after=cursor)
            writer.delta(f"{number} \U0001f600 ")
            await asyncio.sleep(0)
            answer = await client.ask("unsubscribe", session_id=hall.session_id)
            cursor = answer["result"]["cursor"]
            for _, event in client.events:
                broken.apply(event)
            assert broken.cursor == cursor, "the answer says where the client stands"
            client.events.clear()
        await complete(hall.log, hall.stream, writer)
        await client.ask("subscribe", session_id=hall.session_id, after=cursor)
        broken.apply(await client.until("stream.heartbeat"))
        while broken.events[-1:] == [] or broken.events[-1]["kind"] != "message.completed":
            broken.apply(await next_event(client))
    async with desk(hall.address, hall.headers) as client:
        await client.ask("subscribe", session_id=hall.session_id, after="1")
        while whole.events[-1:] == [] or whole.events[-1]["kind"] != "message.completed":
            whole.apply(await next_event(client))
    assert broken.knows() == whole.knows()


async def next_event(client: Any) -> dict[str, Any]:
    """The next event of whatever kind."""
    while not client.events:
        client.events.extend(await one_more(client))
    return client.events.pop(0)[1]


async def one_more(client: Any) -> list[tuple[str, dict[str, Any]]]:
    message = await anext(told(client.connection))
    return [(message["session_id"], message["event"])]


@pytest.mark.parametrize(
    ("after", "status", "code"),
    [
        ("x", 400, "stream.bad-cursor"),
        ("1.0.4", 400, "stream.bad-cursor"),
        ("99", 409, "stream.cursor-ahead"),
    ],
)
async def test_subscription_when_the_cursor_is_not_ours_then_the_answer_says_so(
    hall: Hall, after: str, status: int, code: str
) -> None:
    async with desk(hall.address, hall.headers) as client:
        answer = await client.ask("subscribe", session_id=hall.session_id, after=after)
        assert (answer["type"], answer["status"], answer["error"]["code"]) == (
            "error",
            status,
            code,
        )
        assert hall.log.feeds.find(hall.stream) is None


@pytest.mark.requirement("26")
async def test_subscription_when_the_session_is_somebody_elses_then_it_is_not_found(
    hall: Hall,
) -> None:
    async with desk(hall.address, {"Authorization": f"Bearer {new_id()}"}) as client:
        for session_id in (hall.session_id, new_id(), "nonsense"):
            for kind in ("subscribe", "message.send"):
                content = {"content": "hello"} if kind == "message.send" else {"after": "0"}
                answer = await client.ask(kind, session_id=session_id, **content)
                assert (answer["status"], answer["error"]["code"]) == (404, "session.not-found")
        assert (await client.ask("run.stop", run_id=new_id()))["status"] == 404
        decision = {"approval_id": new_id(), "decision": "approve"}
        assert (await client.ask("approval.decide", **decision))["status"] == 404
        await append(hall.log, hall.stream, fact())
        assert (await client.ask("unsubscribe", session_id=hall.session_id))["status"] == 404
        assert client.events == []


@pytest.mark.parametrize(
    ("message", "command_id", "status", "code"),
    [
        ("{", None, 400, "request.malformed-json"),
        ('{"id":"1","id":"2"}', None, 400, "request.malformed-json"),
        ('{"id":"1","x":"\\u0000"}', None, 400, "request.malformed-json"),
        ("7", None, 422, "request.unprocessable"),
        ("[]", None, 422, "request.unprocessable"),
        ("{}", None, 422, "request.unprocessable"),
        ('{"type":"subscribe","session_id":"s"}', None, 422, "request.unprocessable"),
        ('{"type":"subscribe","id":7,"session_id":"s"}', None, 422, "request.unprocessable"),
        ('{"type":"subscribe","id":"","session_id":"s"}', None, 422, "request.unprocessable"),
        ('{"type":"subscribe","id":"7"}', "7", 422, "request.unprocessable"),
        ('{"type":"sing","id":"7"}', "7", 422, "request.unprocessable"),
        (
            '{"type":"run.stop","id":"7","run_id":"r","user_id":"u"}',
            "7",
            422,
            "request.unprocessable",
        ),
    ],
)
async def test_command_when_it_is_none_then_it_gets_one_error_and_the_socket_stays(
    hall: Hall, message: str, command_id: str | None, status: int, code: str
) -> None:
    async with desk(hall.address, hall.headers) as client:
        await client.connection.send(message)
        answer = await client.answer(command_id)
        assert (answer["type"], answer["status"]) == ("error", status)
        error = answer["error"]
        assert (error["code"], error["status"]) == (code, status)
        assert answer.keys() >= {"title", "detail", "instance", "request_id"}
        assert (await client.ask("subscribe", session_id=hall.session_id))["type"] == "ack"


async def test_command_when_it_fails_by_our_mistake_then_it_gets_one_error_without_a_secret(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def mistaken(*_: object) -> None:
        raise ZeroDivisionError("the secret")

    monkeypatch.setattr(reader_module.read, "standing", mistaken)
    async with desk(hall.address, hall.headers) as client:
        answer = await client.ask("subscribe", session_id=hall.session_id)
        assert (answer["status"], answer["error"]["code"]) == (500, "internal")
        assert "secret" not in str(answer)
        assert hall.log.feeds.find(hall.stream) is None


async def test_subscriptions_when_they_are_many_then_the_next_is_refused(hall: Hall) -> None:
    others = [await hall.begin() for _ in range(3)]
    async with desk(hall.address, hall.headers) as client:
        for session_id in others:
            assert (await client.ask("subscribe", session_id=session_id))["type"] == "ack"
        answer = await client.ask("subscribe", session_id=others[0])
        assert (answer["status"], answer["error"]["code"]) == (409, "subscription.exists")
        answer = await client.ask("subscribe", session_id=hall.session_id)
        assert (answer["status"], answer["error"]["code"]) == (429, "subscription.too-many")
        await client.ask("unsubscribe", session_id=others[0])
        assert (await client.ask("subscribe", session_id=hall.session_id))["type"] == "ack"


async def test_socket_when_the_client_goes_then_nothing_of_it_stays(hall: Hall) -> None:
    async with desk(hall.address, hall.headers) as client:
        await client.ask("subscribe", session_id=hall.session_id)
        await client.ask("subscribe", session_id=await hall.begin())
        assert (len(hall.pulse), len(hall.sockets)) == (3, 1)
    await hall.settled(0)
    while len(hall.sockets) or hall.log.feeds.find(hall.stream) is not None:
        await asyncio.sleep(0.005)


async def test_socket_when_a_session_is_deleted_then_the_others_go_on(hall: Hall) -> None:
    other = await hall.begin()
    async with desk(hall.address, hall.headers) as client:
        for session_id in (hall.session_id, other):
            await client.ask("subscribe", session_id=session_id)
        await append(hall.log, stream_of(other), SessionDeleted(session_id=other))
        await client.until("session.deleted", other)
        await append(hall.log, hall.stream, fact())
        await client.until("run.stop_requested", hall.session_id)
        assert (await client.ask("unsubscribe", session_id=other))["status"] == 404


async def test_socket_when_the_database_fails_then_one_subscription_ends_and_can_be_made_again(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unreachable(*_: object) -> None:
        raise DatabaseUnreachable

    await append(hall.log, hall.stream, fact())
    async with desk(hall.address, hall.headers) as client:
        monkeypatch.setattr(reader_module.read, "records_after", unreachable)
        await client.ask("subscribe", session_id=hall.session_id, after="1")
        last = await client.until("stream.ended")
        assert (last["code"], last["cursor"]) == (DatabaseUnreachable.code, "1")
        monkeypatch.undo()
        await client.ask("subscribe", session_id=hall.session_id, after=last["cursor"])
        await client.until("run.stop_requested")


@pytest.mark.requirement("22", "32")
async def test_socket_when_the_caller_is_refused_then_each_subscription_says_where_it_stands(
    hall: Hall,
) -> None:
    other = await hall.begin()
    async with desk(hall.address, hall.headers) as client:
        for session_id in (hall.session_id, other):
            await client.ask("subscribe", session_id=session_id)
            await client.until("stream.heartbeat", session_id)
        hall.guests.refused.add(hall.owner)
        answer = await client.ask("message.send", session_id=other, content="too late")
        assert (answer["status"], answer["error"]["code"]) == (401, "auth.invalid-credential")
        await hall.pulse.check()
        last = await client.rest()
        assert sorted((where, event["kind"], event["cursor"]) for where, event in last) == sorted(
            (where, "stream.ended", "1") for where in (hall.session_id, other)
        )
        assert client.connection.close_code == 1008


@pytest.mark.parametrize("subscribed", [True, False])
async def test_socket_when_the_server_drains_then_it_ends(hall: Hall, subscribed: bool) -> None:
    async with desk(hall.address, hall.headers) as client:
        if subscribed:
            await client.ask("subscribe", session_id=hall.session_id)
            await client.until("stream.heartbeat")
        else:
            await client.ask("unsubscribe", session_id=hall.session_id)
        hall.draining.begin()
        kinds = [event["kind"] for _, event in await client.rest()]
        assert kinds == (["server.draining"] if subscribed else [])
        assert client.connection.close_code == 1001
    await hall.sockets.ended()
    assert len(hall.sockets) == 0


async def test_socket_when_nothing_comes_then_each_subscription_says_that_it_lives(
    hall: Hall,
) -> None:
    async with desk(hall.address, hall.headers) as client:
        await client.ask("subscribe", session_id=hall.session_id)
        await client.until("stream.heartbeat")
        await append(hall.log, hall.stream, fact())
        await client.until("run.stop_requested")
        for _ in range(HEARTBEAT_TICKS):
            hall.pulse.beat()
        assert (await client.until("stream.heartbeat"))["cursor"] == "2"


@pytest.mark.parametrize(
    ("message", "code"), [(b"\x00", 1003), ("x" * (LARGEST_MESSAGE + 1), 1009)]
)
async def test_socket_when_a_message_is_binary_or_too_large_then_it_is_closed(
    hall: Hall, message: str | bytes, code: int
) -> None:
    async with socket(hall.address, "/v1/ws", hall.headers) as connection:
        await connection.send(message)
        assert [each async for each in told(connection)] == []
        assert connection.close_code == code
    while len(hall.sockets):
        await asyncio.sleep(0.005)


@pytest.mark.requirement("F13")
async def test_socket_when_its_client_is_stuck_then_it_is_dropped_with_all_its_subscriptions(
    hall: Hall,
) -> None:
    other, written = await hall.begin(), 0
    client = StreamClient()
    async with slow_socket(hall.address, "/v1/ws", hall.owner) as slow:
        for number, session_id in enumerate((hall.session_id, other)):
            command = {"id": f"{number:064}", "session_id": session_id, "after": "1"}
            await slow.say({"type": "subscribe", **command})
        await hall.settled(3)
        writer = await open_message(hall.log, hall.stream)
        writer.block_started("text")
        while len(hall.sockets):  # the kernel's buffers first, then 256 KiB beyond
            writer.delta("\U0001f600 abc" * 800)
            written += 1
            assert written < 20_000
            hall.pulse.beat()
            await asyncio.sleep(0)
        assert written * 4_000 > MOST_BEHIND
        assert len(hall.pulse) == 0
        assert hall.log.feeds.find(stream_of(other)) is None
        await complete(hall.log, hall.stream, writer)
        while slow.close() is None:
            assert await slow.take()
        assert slow.close() == (1013, "stream.behind")
        for message in slow.messages():
            if message["type"] == "event" and message["session_id"] == hall.session_id:
                client.apply(message["event"])
    async with desk(hall.address, hall.headers) as again:
        await again.ask("subscribe", session_id=hall.session_id, after=client.cursor)
        while client.events[-1]["kind"] != "message.completed":
            client.apply(await next_event(again))
    assert client.texts == {"m": ["\U0001f600 abc" * 800 * written]}


async def say_on(slow: SlowSocket, command: dict[str, Any]) -> int:
    """Says it again and again until the server reads no more; returns how often."""
    said = 0
    with suppress(TimeoutError):
        while said < MANY_COMMANDS:
            async with asyncio.timeout(2):
                await slow.say(command)
            said += 1
    return said


@pytest.mark.requirement("F13")
async def test_commands_when_their_answers_are_not_taken_then_no_more_are_read(hall: Hall) -> None:
    async with slow_socket(hall.address, "/v1/ws", hall.owner) as slow:
        unknown = {f"{number:03}{'x' * 90}": 1 for number in range(50)}
        command = {"type": "unsubscribe", "id": "1", "session_id": "s", **unknown}
        said = await say_on(slow, command)
        assert 10 < said < MANY_COMMANDS
        while slow.got.count(b'"error":{') < said:
            assert await slow.take()
