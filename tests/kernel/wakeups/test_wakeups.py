"""Wake-ups come through, and nothing that happens to their carrier does more than lose some."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.kernel.redis import RedisURLUnusable
from homeport.kernel.wakeups import Wakeups
from homeport.kernel.wakeups import wakeups as module
from homeport.kernel.wakeups.carrier import Heard
from homeport.kernel.wakeups.redis import RedisCarrier
from kernel.wakeups.line import Line
from support.valkey import Valkey
from support.wakeups import carried, eventually

NAMES = [f"session:0198a000-0000-7000-8000-{number:012}" for number in range(2_000)]
WORD = st.none() | st.integers(-9, 9) | st.text(st.characters(codec="utf-8"))


async def test_send_when_another_node_listens_then_it_hears_the_name_and_the_sender_does_not(
    line: Line,
) -> None:
    there: list[str] = []
    here: list[str] = []
    async with carried(line.carrier()) as sender, carried(line.carrier()) as other:
        sender.on("stream", here.append)
        other.on("stream", there.append)
        sender.send("stream", "session:s")
        await eventually(lambda: there == ["session:s"])
        other.send("stream", "session:back")
        await eventually(lambda: here == ["session:back"])
    assert there == ["session:s"]


async def test_send_when_the_topic_is_another_one_then_its_handler_is_not_called(
    line: Line,
) -> None:
    streams: list[str] = []
    runs: list[str] = []
    async with carried(line.carrier()) as sender, carried(line.carrier()) as other:
        other.on("stream", streams.append)
        other.on("run.due", runs.append)
        sender.send("nobody's", "x")
        sender.send("run.due")
        await eventually(lambda: runs == [""])
    assert streams == []


async def test_send_when_many_are_told_at_once_then_all_come_and_none_twice(line: Line) -> None:
    heard: list[str] = []
    async with carried(line.carrier()) as sender, carried(line.carrier()) as other:
        other.on("stream", heard.append)
        for _ in range(3):
            for name in NAMES:
                sender.send("stream", name)
        await eventually(lambda: len(heard) >= len(NAMES))
    assert heard == NAMES


@pytest.mark.requirement("F9")
async def test_carrier_when_every_connection_is_cut_then_wakeups_come_again_by_themselves(
    line: Line,
) -> None:
    heard: list[str] = []
    async with carried(line.carrier()) as sender, carried(line.carrier()) as other:
        other.on("stream", heard.append)
        for round_ in range(3):
            await line.cut()

            def comes(name: str = f"after {round_}") -> bool:
                sender.send("stream", name)
                return name in heard

            await eventually(comes)


async def test_carrier_when_others_send_garbage_then_it_is_not_heeded(line: Line) -> None:
    heard: list[str] = []
    chance = random.Random(8)
    stranger = line.carrier()
    async with carried(line.carrier()) as sender, carried(line.carrier()) as other:
        other.on("stream", heard.append)
        other.on("1", heard.append)
        for garbage in (b"{", b"[]", b"7", b'{"a": 1}', b'[["x"], {"y": 1}]', b'["", 1, null]'):
            await stranger.send(garbage)
        for _ in range(50):
            await stranger.send(bytes(chance.randrange(1, 128) for _ in range(200)))
        sender.send("stream", "true")
        await eventually(lambda: heard == ["true"])
        assert other.works
    await stranger.close()


async def test_run_when_it_ends_then_what_was_told_last_is_sent(line: Line) -> None:
    heard: list[str] = []
    async with carried(line.carrier()) as other:
        other.on("run.due", heard.append)
        async with carried(line.carrier()) as sender:
            sender.send("run.due", "drained")
        # Twice, when the end came while it was being sent.
        await eventually(lambda: set(heard) == {"drained"})


@pytest.mark.requirement("F10")
async def test_valkey_when_it_keeps_its_connections_and_answers_nothing_then_it_counts_as_lost(
    valkey: Valkey,
) -> None:
    async with carried(_carrier(valkey)) as wakeups:
        valkey.halt()
        try:
            await eventually(lambda: not wakeups.works)
        finally:
            valkey.start()
        await eventually(lambda: wakeups.works)


async def test_valkey_when_it_is_flushed_then_wakeups_go_on(valkey: Valkey) -> None:
    heard: list[str] = []
    async with carried(_carrier(valkey)) as sender, carried(_carrier(valkey)) as other:
        other.on("stream", heard.append)
        assert valkey.command("FLUSHALL") == "+OK"
        sender.send("stream", "s")
        await eventually(lambda: heard == ["s"])


async def test_valkey_when_it_is_not_there_at_the_start_then_it_is_waited_for(
    valkey: Valkey,
) -> None:
    valkey.kill()
    carrier = _carrier(valkey)
    wakeups = Wakeups(carrier, heartbeat=0.2)
    running = asyncio.create_task(wakeups.run())
    await asyncio.sleep(0.3)
    assert not wakeups.works
    valkey.start()
    await eventually(lambda: wakeups.works)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await carrier.close()


@pytest.fixture
async def babbler() -> AsyncIterator[int]:
    """The port of a server that answers everything with bytes that no Redis would send."""
    chance = random.Random(10)
    lines = (b"$abc\r\n", b"*-7\r\n", b":no\r\n", b"*2\r\n$1\r\nx\r\n:1\r\n", b"~2\r\n", b"\0\r\n")

    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1_024):
            noise = bytes(chance.randrange(256) for _ in range(40))
            writer.write(chance.choice([*lines, noise, b"+OK\r\n" * 9]))
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


@pytest.mark.requirement("F10")
async def test_redis_when_it_answers_garbage_then_it_is_tried_again_and_nothing_breaks(
    babbler: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BACKOFF_MOST_S", 0.01)
    carrier = RedisCarrier(f"redis://127.0.0.1:{babbler}", channel="c")
    wakeups = Wakeups(carrier, heartbeat=0.05)
    running = asyncio.create_task(wakeups.run())
    for _ in range(100):
        wakeups.send("stream", "s")
        await asyncio.sleep(0.005)
    assert not running.done()
    assert not wakeups.works
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await carrier.close()


class Deaf:
    """A carrier that takes what it is given, and carries it nowhere."""

    name = "deaf"
    largest = 1_000

    def __init__(self) -> None:
        self.listened = 0

    async def listen(self, heard: Heard) -> None:
        self.listened += 1
        heard(b"")
        await asyncio.Event().wait()

    async def send(self, message: bytes) -> None: ...

    async def close(self) -> None: ...


async def test_carrier_when_what_is_sent_does_not_come_back_then_listening_begins_anew() -> None:
    carrier = Deaf()
    wakeups = Wakeups(carrier, heartbeat=0.02)
    running = asyncio.create_task(wakeups.run())
    await eventually(lambda: carrier.listened >= 3)
    assert not wakeups.works
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1",
        "redis://127.0.0.1:port",
        "valkey",
        "",
        "redis://:hunter2#x@127.0.0.1:1",
    ],
)
def test_redis_when_the_address_is_none_then_it_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(RedisURLUnusable, match="REDIS_URL") as refused:
        RedisCarrier(url, channel="c")
    assert "hunter2" not in str(refused.value)


async def test_send_when_nothing_can_be_sent_then_only_so_much_is_kept(valkey: Valkey) -> None:
    wakeups = Wakeups(_carrier(valkey))
    for number in range(module.MOST_WAITING + 5):
        wakeups.send("stream", str(number))
    assert len(wakeups._waiting) == module.MOST_WAITING  # pyright: ignore[reportPrivateUsage]


async def test_send_when_there_are_no_other_nodes_then_nothing_is_kept() -> None:
    wakeups = Wakeups()
    wakeups.send("stream", "s")
    assert not wakeups._waiting  # pyright: ignore[reportPrivateUsage]
    await wakeups.run()
    assert not wakeups.works


@given(st.binary() | st.recursive(WORD, st.lists).map(orjson.dumps))
def test_unpacked_when_anything_comes_then_only_texts_come_out(message: bytes) -> None:
    words = module._unpacked(message)  # pyright: ignore[reportPrivateUsage]
    assert words
    assert all(type(word) is str for word in words)


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=40)), st.integers(400, 2_000))
def test_packed_when_unpacked_then_it_is_the_same_and_no_message_is_too_large(
    names: list[str], largest: int
) -> None:
    messages = list(module._packed("origin", names, largest))  # pyright: ignore[reportPrivateUsage]
    assert messages
    assert all(len(message) <= largest for message in messages)
    unpacked = [module._unpacked(message) for message in messages]  # pyright: ignore[reportPrivateUsage]
    assert {words[0] for words in unpacked} == {"origin"}
    assert [name for words in unpacked for name in words[1:]] == names


def _carrier(valkey: Valkey) -> RedisCarrier:
    return RedisCarrier(valkey.url, channel="homeport:test")
