"""Many streams on one server: all are let in, storms leave nothing, and one user has so many."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import aiohttp
import psutil
import pytest

from homeport.eventlog.catalogue.session import SessionDeleted
from homeport.kernel.db.engine import SQLITE_READERS
from readers.api import Api
from readers.hall import Hall, slow_client
from readers.stream.lines import RawLine, room_for
from support.facts import append, complete, open_message
from support.server import MakeServer, Server
from support.sse import heard
from support.stream_client import StreamClient

HEARTBEAT = b"event: stream.heartbeat\n"
AT_ONCE = 1_000
PATIENCE_S = 60
PIECE = "0123456789abcdef" * 500
SPARE_KB = 12_288
"""What a process may keep of a storm: the allocator's, once, and not per connection."""
POOL = 3 * SQLITE_READERS
"""Descriptors of the connections to the database, which stay open: each a file, its WAL, its index."""


@pytest.fixture
async def api(server: Server) -> AsyncIterator[Api]:
    async with aiohttp.ClientSession() as http:
        yield Api(http, server.base_url, server.admin)


async def until_calm(server: psutil.Process, descriptors: int) -> None:
    """Waits until no more than so many descriptors are open, beside the database's."""
    async with asyncio.timeout(PATIENCE_S):
        while server.num_fds() > descriptors + POOL:
            await asyncio.sleep(0.05)


async def test_streams_when_a_thousand_open_at_once_then_all_are_served_and_nobody_is_cut(
    server: Server, api: Api
) -> None:
    if not room_for(AT_ONCE + 100):
        pytest.skip("this machine allows too few open files")
    path = f"/v1/sessions/{await api.session()}/stream"

    async def opened() -> RawLine:
        line = await RawLine.connect(server.base_url, path, server.admin)
        line.ask()
        await line.answered()
        await line.until(HEARTBEAT)
        return line

    process = psutil.Process(server.pid)
    before = process.num_fds()
    early = await asyncio.gather(*[opened() for _ in range(20)])
    crowd = await asyncio.gather(*[opened() for _ in range(AT_ONCE)])
    lines = [*early, *crowd]
    assert {line.status for line in lines} == {200}
    assert not any(line.ended for line in lines)
    assert all([event.event for event in line.heard()] == ["stream.heartbeat"] for line in lines)
    for line in lines:
        line.close()
    await until_calm(process, before)


@pytest.mark.parametrize("place", ["stream", "events"])
async def test_stream_when_the_user_has_as_many_as_one_may_then_it_is_refused_until_one_ends(
    make_server: MakeServer, http: aiohttp.ClientSession, place: str
) -> None:
    server = make_server(MAX_STREAMS_PER_USER="2")
    api = Api(http, server.base_url, server.admin)
    path = f"/v1/sessions/{await api.session()}"
    held = [await http.get(f"{server.base_url}{path}/stream", headers=api.headers) for _ in "ab"]
    assert [answer.status for answer in held] == [200, 200]
    refused = await api.call("GET", f"{path}/{place}")
    assert (refused.status, refused.code) == (429, "stream.too-many")
    assert "2" in refused.json["detail"]
    async with http.get(f"{server.base_url}{path}/{place}", headers=api.headers) as answer:
        assert answer.headers["Retry-After"] == "1"
    other = await http.get(f"{server.base_url}{path}/stream")
    assert other.status == 401, "a stranger is told nothing of it"
    held[0].close()
    async with asyncio.timeout(PATIENCE_S):
        while True:
            async with http.get(f"{server.base_url}{path}/{place}", headers=api.headers) as answer:
                if answer.status == 200:
                    break
                assert answer.status == 429
            await asyncio.sleep(0.01)
    held[1].close()


async def storm(
    base_url: str,
    path: str,
    headers: dict[str, str],
    *,
    connections: int,
    per_second: int,
    seed: int,
) -> None:
    """Clients that come and go, each at some moment of its own choice."""
    chance = random.Random(seed)

    async def one(whim: random.Random) -> None:
        line = await RawLine.connect(base_url, path, headers)
        patience = whim.choice(["none", "half a request", "a request", "a head", "a heart-beat"])
        if patience != "none":
            line.ask(part=whim.random() if patience == "half a request" else 1)
        if patience in {"a head", "a heart-beat"}:
            assert await line.answered() == 200
        if patience == "a heart-beat":
            await line.until(HEARTBEAT)
        line.close(reset=whim.random() < 0.5)

    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(one(random.Random(chance.random())))
            await asyncio.sleep(1 / per_second)


async def stormed(
    server: Server, api: Api, *, connections: int, per_second: int, seed: int
) -> None:
    """A storm, after which the server is as it was before."""
    path = f"/v1/sessions/{await api.session()}/stream"
    process = psutil.Process(server.pid)
    before = process.num_fds()

    async def part(count: int) -> tuple[int, int]:
        await storm(
            server.base_url,
            path,
            server.admin,
            connections=count,
            per_second=per_second,
            seed=seed,
        )
        await until_calm(process, before)
        return process.memory_info().rss // 1024, process.num_threads()

    kb, threads = await part(connections // 4)  # brings caches and pools to their size
    kb_after, threads_after = await part(connections)
    assert kb_after - kb < SPARE_KB
    assert threads_after <= threads + SQLITE_READERS, "the database's, none for what went"


@pytest.mark.requirement("F13")
@pytest.mark.requirement("F15")
async def test_storm_when_clients_come_and_go_then_the_server_keeps_nothing_of_them(
    server: Server, api: Api
) -> None:
    await stormed(server, api, connections=400, per_second=200, seed=11)


@pytest.mark.soak
@pytest.mark.requirement("F15")
async def test_storm_when_it_lasts_a_minute_then_the_server_keeps_nothing_of_it(
    server: Server, api: Api
) -> None:
    assert room_for(4_000)
    await stormed(server, api, connections=30_000, per_second=500, seed=12)


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
async def test_storm_when_it_is_over_then_no_task_and_no_feed_is_left_of_it(hall: Hall) -> None:
    async with hall.http.get(hall.path("events")):
        pass  # whatever a first request makes for good
    await asyncio.sleep(0)
    before = {task for task in asyncio.all_tasks() if not task.done()}
    await storm(
        hall.address, hall.path("stream"), hall.headers, connections=200, per_second=400, seed=13
    )
    async with asyncio.timeout(PATIENCE_S):
        while hall.log.feeds.find(hall.stream) is not None or len(hall.pulse):
            await asyncio.sleep(0.01)
        while {t.get_name() for t in asyncio.all_tasks() - before} & {"stream.send"}:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
async def test_message_when_nobody_reads_it_then_nothing_is_made_or_kept_for_readers(
    hall: Hall,
) -> None:
    writer = await open_message(hall.log, hall.stream)
    writer.block_started("text")
    feed = hall.log.feeds.find(hall.stream)
    assert feed is not None
    for _ in range(100):
        writer.delta("unheard ")
    assert feed.live is not None
    assert not feed.steps
    assert feed.live.shared.get((2, 0, 0, None)) is None
    seq = await complete(hall.log, hall.stream, writer)
    assert feed.record(seq) is None
    assert hall.log.feeds.find(hall.stream) is None


@pytest.mark.requirement("F13")
@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
async def test_streams_when_one_reads_a_byte_a_second_then_it_is_dropped_and_the_others_hear_all(
    hall: Hall,
) -> None:
    quick, written = StreamClient(), 0
    async with (
        slow_client(hall, "stream?after=1") as slow,
        hall.http.get(hall.path("stream?after=1")) as response,
    ):
        hearing = asyncio.create_task(follow(response, quick))
        await hall.settled(2)
        writer = await open_message(hall.log, hall.stream)
        writer.block_started("text")
        while len(hall.pulse) == 2:  # each round is a second, and a byte for the slow one
            writer.delta(PIECE)
            written += 1
            assert written < 20_000
            hall.pulse.beat()
            await slow.take(1)
            async with asyncio.timeout(PATIENCE_S):
                while length(quick) < len(PIECE) * written:
                    await asyncio.sleep(0)
        await complete(hall.log, hall.stream, writer)
        await append(hall.log, hall.stream, SessionDeleted(session_id=hall.session_id))
        await hearing
        while await slow.take():
            pass
        client = StreamClient()
        for event in slow.heard():
            client.apply(event.data)
    assert quick.texts == {"m": [PIECE * written]}
    assert quick.resets == 0
    assert 0 < length(client) < len(PIECE) * written
    async with hall.http.get(hall.path(f"stream?after={client.cursor}")) as response:
        await follow(response, client)
    assert client.knows() == quick.knows()


async def follow(response: aiohttp.ClientResponse, client: StreamClient) -> None:
    """Applies what comes, to the end."""
    async for event in heard(response):
        client.apply(event.data)


def length(client: StreamClient) -> int:
    """Characters of the one message that `client` has."""
    return sum(map(len, client.texts.get("m", ())))
