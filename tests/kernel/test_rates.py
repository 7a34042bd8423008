"""Counters: exact within a window, in constant space, together while the Redis works."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from homeport.kernel import clock
from homeport.kernel.rates import CountersLost, MemoryCounters, SharedCounters, shared
from homeport.kernel.rates.redis import RedisCounters
from homeport.kernel.redis import RedisURLUnusable
from support.listener import listening
from support.valkey import Valkey

PREFIX = "homeport:test:rates:"


@pytest.fixture
async def redis(valkey: Valkey) -> AsyncIterator[RedisCounters]:
    valkey.command("FLUSHALL")
    counters = RedisCounters(valkey.url, prefix=PREFIX, period=60)
    yield counters
    await counters.close()


async def hits(counters: MemoryCounters | RedisCounters | SharedCounters, *keys: str) -> list[int]:
    return [tally.hits for tally in await counters.count(keys)]


async def test_memory_when_the_window_ends_then_the_count_begins_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1_000.0
    monkeypatch.setattr(clock, "boot_seconds", lambda: now)
    counters = MemoryCounters(60)
    assert [await hits(counters, "ada", "bob"), await hits(counters, "ada")] == [[1, 1], [2]]
    now = 1_059.9
    [tally] = await counters.count(["ada"])
    assert (tally.hits, round(tally.resets_in, 3)) == (3, 0.1)
    now = 1_060.0
    [tally] = await counters.count(["ada"])
    assert (tally.hits, tally.resets_in) == (1, 60.0)
    assert await hits(counters, "bob") == [1]


async def test_memory_when_many_came_long_ago_then_they_are_not_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0
    monkeypatch.setattr(clock, "boot_seconds", lambda: now)
    counters = MemoryCounters(60)
    for number in range(20_000):
        now = number / 100  # a hundred new ones a second
        await counters.count([f"address:{number}"])
    assert len(counters) <= 6_001  # those of one period


@pytest.mark.requirement("F9")
async def test_redis_when_two_nodes_count_at_once_then_none_is_missed(
    valkey: Valkey, redis: RedisCounters
) -> None:
    other = RedisCounters(valkey.url, prefix=PREFIX, period=60)
    try:
        told = await asyncio.gather(
            *((redis, other)[number % 2].count(["ada", "bob"]) for number in range(200))
        )
    finally:
        await other.close()
    for place in range(2):
        assert sorted(tallies[place].hits for tallies in told) == list(range(1, 201))
    assert all(0 < tally.resets_in <= 60 for tallies in told for tally in tallies)


async def test_redis_when_a_key_has_no_end_then_it_gets_one(
    valkey: Valkey, redis: RedisCounters
) -> None:
    valkey.command("SET", f"{PREFIX}ada", "7")
    assert await hits(redis, "ada") == [8]
    assert 59_000 < int(valkey.command("PTTL", f"{PREFIX}ada").removeprefix(":")) <= 60_000


@pytest.mark.requirement("F9")
async def test_shared_when_the_redis_dies_then_it_counts_alone_until_it_is_back(
    valkey: Valkey, redis: RedisCounters, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, boot_seconds = 0.0, clock.boot_seconds
    monkeypatch.setattr(clock, "boot_seconds", lambda: boot_seconds() + now)
    monkeypatch.setattr(shared, "ANSWER_S", 10.0)
    counters = SharedCounters(redis, MemoryCounters(60))
    assert [await hits(counters, "ada") for _ in range(3)] == [[1], [2], [3]]
    valkey.kill()
    assert [await hits(counters, "ada") for _ in range(3)] == [[1], [2], [3]]  # and not unlimited
    assert not counters.works
    valkey.start()
    assert await hits(counters, "ada") == [4]  # it is not asked again at once
    now += shared.PAUSE_S
    assert await hits(counters, "ada") == [1]  # it came back empty
    assert counters.works


@pytest.mark.requirement("F10")
async def test_shared_when_the_redis_hangs_then_one_waits_and_the_others_go_on(
    valkey: Valkey, redis: RedisCounters, monkeypatch: pytest.MonkeyPatch
) -> None:
    counters = SharedCounters(redis, MemoryCounters(60))
    await counters.count(["ada"])
    asked = 0
    count = redis.count

    async def watched(keys: list[str]) -> object:
        nonlocal asked
        asked += 1
        return await count(keys)

    monkeypatch.setattr(redis, "count", watched)
    valkey.halt()
    for number in range(50):
        assert await hits(counters, "ada") == [number + 1]
    assert asked == 1
    now = clock.boot_seconds()
    monkeypatch.setattr(clock, "boot_seconds", lambda: now + shared.PAUSE_S)
    told = await asyncio.gather(*(counters.count(["ada"]) for _ in range(50)))
    assert sorted(tally.hits for [tally] in told) == list(range(51, 101))
    assert asked == 2  # of fifty at once one tries


@pytest.mark.requirement("F10")
async def test_redis_when_it_answers_garbage_then_it_counts_as_lost() -> None:
    async with listening(lambda _: b"") as nobody:
        counters = RedisCounters(f"redis://{nobody.entry}", prefix=PREFIX, period=60)
        nobody.answer = lambda _: b"HTTP/1.1 400 What\r\n\r\n"
        together = SharedCounters(counters, MemoryCounters(60))
        assert await hits(together, "ada") == [1]
        assert not together.works
        await counters.close()
    refused = RedisCounters("redis://127.0.0.1:1", prefix=PREFIX, period=60)
    with pytest.raises(CountersLost):
        await refused.count(["ada"])
    await refused.close()
    with pytest.raises(RedisURLUnusable):
        RedisCounters("http://127.0.0.1", prefix=PREFIX, period=60)
