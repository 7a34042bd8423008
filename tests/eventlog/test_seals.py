"""Seals: when they are made, by whom, and how they leave the database."""

from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path

import pytest
from sqlalchemy import text

from homeport.eventlog import EventLog, merkle
from homeport.eventlog.anchors import AnchorFile, read_anchors
from homeport.eventlog.seal import BadAnchor, Seal, SealedHead, SealingKey, root_of
from homeport.eventlog.sealer import Sealer, seals_after
from homeport.kernel.crypto import KeyRing
from homeport.kernel.db import Database, leader
from support.facts import append, fact
from support.small_disk import limited_files

KEY = SealingKey(KeyRing(b"k" * 32))


async def seals(database: Database) -> list[Seal]:
    async with database.read() as session:
        return await seals_after(session, 0, limit=100)


def split(leaves: list[bytes]) -> bytes:
    """RFC 9162, 2.1.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + split(leaves[:k]) + split(leaves[k:])).digest()


@pytest.mark.requirement("60")
def test_root_when_compared_with_the_definition_then_it_is_the_same() -> None:
    for count in range(20):
        leaves = [str(number).encode() for number in range(count)]
        assert merkle.root(leaves) == split(leaves), count


async def test_seal_when_little_has_moved_then_it_waits_for_its_time(log: EventLog) -> None:
    sealer = Sealer(log.database, KEY, holder="a", events=3, seconds=1_000)
    assert await sealer.step() is None  # of nothing
    await append(log, "session:1", fact())
    first = await sealer.step()
    assert first is not None
    await append(log, "session:1", fact(), fact())
    assert await sealer.step() is None
    hasty = Sealer(log.database, KEY, holder="a", events=3, seconds=0)
    await append(log, "session:2", fact())
    assert await sealer.step() is not None
    assert await hasty.step() is None
    assert [(each.id, each.heads) for each in await seals(log.database)] == [(1, 1), (2, 2)]


async def test_seal_when_the_key_is_another_then_the_newest_is_signed_by_it(log: EventLog) -> None:
    await append(log, "session:1", fact())
    await Sealer(log.database, KEY, holder="a").step()
    new = SealingKey(KeyRing(b"n" * 32))
    assert await Sealer(log.database, new, holder="a").step() is not None
    assert await Sealer(log.database, new, holder="a").step() is None
    assert [each.key for each in await seals(log.database)] == [KEY.public, new.public]


async def test_sealers_when_several_step_at_once_then_one_seals(log: EventLog) -> None:
    await append(log, "session:1", fact())
    sealers = [Sealer(log.database, KEY, holder=f"node {n}") for n in range(5)]
    made = await asyncio.gather(*(each.step() for each in sealers))
    assert len([each for each in made if each is not None]) == 1
    assert len(await seals(log.database)) == 1


async def test_lease_when_held_then_another_gets_it_only_after_its_end(database: Database) -> None:
    async def hold(holder: str) -> bool:
        async with database.write() as session:
            return await leader.hold(session, "chore", holder=holder, ttl_s=600)

    assert [await hold("a"), await hold("b"), await hold("a")] == [True, False, True]
    async with database.write() as session:
        await session.execute(text("UPDATE leaders SET until_ms = 1"))
    assert [await hold("b"), await hold("a")] == [True, False]


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
async def test_anchors_when_a_line_was_torn_then_it_is_written_again(
    log: EventLog, tmp_path: Path
) -> None:
    path = tmp_path / "anchors" / "seals.jsonl"
    sealer = Sealer(log.database, KEY, holder="a", events=1)
    for number in range(3):
        await append(log, f"session:{number}", fact())
        await sealer.step()
    assert await AnchorFile(path).copy(log.database) == 3
    whole = path.read_bytes()
    assert read_anchors(path) == await seals(log.database)
    path.write_bytes(whole[:-20])  # a crash in the middle of an append
    assert read_anchors(path) == (await seals(log.database))[:2]
    file = AnchorFile(path)
    assert [await file.copy(log.database), await file.copy(log.database)] == [1, 0]
    assert path.read_bytes() == whole


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
async def test_anchors_when_the_disk_is_full_then_the_next_round_mends_the_file(
    log: EventLog, tmp_path: Path
) -> None:
    path = tmp_path / "seals.jsonl"
    file = AnchorFile(path)
    sealer = Sealer(log.database, KEY, holder="a", events=1)
    await append(log, "session:1", fact())
    await sealer.step()
    assert await file.copy(log.database) == 1
    size = path.stat().st_size
    await append(log, "session:2", fact())
    await sealer.step()
    with limited_files(os.getpid(), size=size + 50), pytest.raises(OSError, match="too large"):
        await file.copy(log.database)
    assert path.stat().st_size == size + 50
    assert await file.copy(log.database) == 1
    assert read_anchors(path) == await seals(log.database)


def test_anchor_when_a_line_is_something_else_then_it_is_refused() -> None:
    head = SealedHead("session:1", 1, b"h" * 32)
    seal = KEY.seal([head], before=None, at=1, position=1)
    assert Seal.of_line(seal.line()) == seal
    assert seal.is_signed()
    assert seal.root == root_of([head])
    for line in (b"", b"[]", b"{}", seal.line().replace(b'"root"', b'"toor"')):
        with pytest.raises(BadAnchor):
            Seal.of_line(line)
