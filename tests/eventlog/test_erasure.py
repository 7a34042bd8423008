"""What was erased is gone, and that it happened is not: the chain goes on over it."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import orjson
import pytest
from sqlalchemy import select

from homeport.eventlog import Erased, Eraser, EventLog, Unit, read
from homeport.eventlog.errors import MessageOpen, PayloadErased
from homeport.eventlog.models import EventRow, PayloadRow, StreamRow
from homeport.eventlog.record import Record
from homeport.kernel.db import Database
from support.facts import ACTOR, append, completed, fact, open_message, started

STREAM = "session:s"
SAID = [{"type": "text", "text": "what nobody is to read again"}]


async def erase(log: EventLog, eraser: Eraser | None = None, **which: object) -> Erased:
    async with log.unit(STREAM) as unit:
        erase_in = (eraser or Eraser()).erase
        return await erase_in(unit, STREAM, reason="requested", actor=ACTOR, **which)  # pyright: ignore[reportArgumentType]


async def records(log: EventLog) -> list[Record]:
    async with log.database.read() as session:
        return await read.records_after(session, STREAM, 0)


async def erased_seqs(log: EventLog) -> list[int]:
    return [record.seq for record in await records(log) if record.erased]


async def chain_holds(log: EventLog) -> bool:
    """Whether the headers and digests alone lead to the stream's head."""
    async with log.database.read() as session:
        stream = (await session.scalars(select(StreamRow))).one()
        events = (await session.scalars(select(EventRow).order_by(EventRow.seq))).all()
    link = bytes(32)
    for each in events:
        header = orjson.dumps([STREAM, each.seq, each.kind, each.version, each.at, each.actor])
        link = hashlib.sha256(link + header + each.payload_digest).digest()
    return (stream.head_seq, stream.head_hash) == (len(events), link)


@pytest.mark.requirement("60")
async def test_stream_when_erased_then_payloads_and_salts_go_and_the_chain_holds(
    log: EventLog,
) -> None:
    await append(log, STREAM, fact("secret"), started(), completed(SAID), fact())
    erased = await erase(log)
    assert (erased.seqs, erased.whole, erased.subject) == ((1, 2, 3, 4), True, "s")
    async with log.database.read() as session:
        (left,) = (await session.scalars(select(PayloadRow))).all()
    assert orjson.loads(left.payload) == {
        "first_seq": 1,
        "last_seq": 4,
        "count": 4,
        "reason": "requested",
    }
    assert await append(log, STREAM, fact("after")) == 6
    assert await erased_seqs(log) == [1, 2, 3, 4]
    assert [record.kind for record in await records(log)][-2:] == ["payload.erased", fact().kind]
    assert await chain_holds(log)


async def test_event_when_erased_then_asking_what_it_said_is_refused(log: EventLog) -> None:
    await append(log, STREAM, fact("secret"))
    await erase(log)
    with pytest.raises(PayloadErased):
        (await records(log))[0].event()


async def test_erasure_when_repeated_then_nothing_more_is_appended(log: EventLog) -> None:
    await append(log, STREAM, fact())
    await erase(log)
    assert (await erase(log)).seqs == ()
    assert len(await records(log)) == 2


async def test_range_when_it_begins_a_message_then_the_message_goes_as_a_whole(
    log: EventLog,
) -> None:
    await append(log, STREAM, fact(), started(), fact(), completed(SAID), fact())
    assert (await erase(log, first_seq=2, last_seq=2)).seqs == (2, 3, 4)
    assert await erased_seqs(log) == [2, 3, 4]


async def test_kinds_when_chosen_then_only_they_go_and_a_start_takes_its_close_along(
    log: EventLog,
) -> None:
    await append(log, STREAM, fact(), started(), completed(SAID), fact())
    assert (await erase(log, kinds={started().kind})).seqs == (2, 3)
    assert (await erase(log, kinds={fact().kind}, first_seq=2)).seqs == (4,)
    assert await erased_seqs(log) == [2, 3, 4]


async def test_message_when_it_is_being_written_then_it_is_not_erased(log: EventLog) -> None:
    await append(log, STREAM, fact())
    await open_message(log, STREAM)
    with pytest.raises(MessageOpen):
        await erase(log)
    assert await erased_seqs(log) == []
    assert (await erase(log, last_seq=1)).seqs == (1,)


async def test_walks_when_one_fails_then_nothing_is_erased(log: EventLog) -> None:
    await append(log, STREAM, fact())

    async def fails(_unit: Unit, erased: Erased) -> None:
        assert erased.seqs == (1,)
        raise LookupError

    eraser = Eraser()
    eraser.on("session", fails)
    with pytest.raises(LookupError):
        await erase(log, eraser)
    assert await erased_seqs(log) == []


async def test_page_when_much_of_it_was_erased_then_it_is_as_long_as_any(log: EventLog) -> None:
    await append(log, STREAM, *[fact(f"r{number}") for number in range(150)])
    await erase(log)
    async with log.database.read() as session:
        page = await read.records_after(session, STREAM, 0)
    assert [record.seq for record in page] == list(range(1, 101))


async def test_feed_when_its_stream_is_erased_then_it_forgets_what_was_said(log: EventLog) -> None:
    feed = log.feeds.attach(STREAM)
    await append(log, STREAM, fact("secret"))
    assert feed.record(1) is not None
    await erase(log)
    assert feed.record(1) is None
    log.feeds.detach(feed)


@pytest.mark.requirement("60")
@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
async def test_log_when_started_then_the_pages_of_a_process_that_crashed_are_gone(
    database: Database,
) -> None:
    before, after = EventLog(database), EventLog(database)
    await append(before, STREAM, fact("secret"))
    await erase(before)  # its process ends here
    pages = Path(f"{database.url.database}-wal")
    assert pages.stat().st_size
    await after.start()
    try:
        async with asyncio.timeout(30):
            while pages.stat().st_size:
                await asyncio.sleep(0.02)
    finally:
        await after.stop()
