"""Whatever is done to a row of ten thousand, verification finds it and says where."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import pytest
from sqlalchemy import text

from homeport.eventlog import Eraser, EventLog
from homeport.eventlog.errors import StreamNotFound
from homeport.eventlog.report import Report
from homeport.eventlog.seal import Seal, SealingKey
from homeport.eventlog.sealer import Sealer
from homeport.eventlog.verify import verify
from homeport.kernel.crypto import KeyRing
from homeport.kernel.db import Database
from support.facts import ACTOR, fact
from support.tampering import unguard

STREAMS, EACH = 20, 500
NAME = "session:7"
KEY = SealingKey(KeyRing(b"k" * 32))
EVENT = "stream_id = (SELECT id FROM streams WHERE name = 'session:7') AND seq"
STREAM_ID = "(SELECT id FROM streams WHERE name = 'session:7')"
COPY = (
    "INSERT INTO events (stream_id, seq, kind, version, at, actor, bounds, payload_digest, hash)"
    f" SELECT stream_id, {{seq}}, kind, version, at, actor, bounds, payload_digest, hash"
    f" FROM events WHERE {EVENT} = 9"
)
SET_HEAD = (
    "UPDATE streams SET head_seq = 400, head_hash ="
    f" (SELECT hash FROM events WHERE {EVENT} = 400) WHERE name = 'session:7'"
)
TAMPERING: Mapping[str, tuple[Sequence[str], set[tuple[str, int]]]] = {
    "flip payload": (
        [f"UPDATE event_payloads SET payload = :bytes WHERE {EVENT} = 250"],
        {("payload", 250)},
    ),
    "flip salt": (
        [f"UPDATE event_payloads SET salt = :bytes WHERE {EVENT} = 250"],
        {("payload", 250)},
    ),
    "flip actor": ([f"UPDATE events SET actor = 'user:eve' WHERE {EVENT} = 250"], {("hash", 250)}),
    "flip time": ([f"UPDATE events SET at = at + 1 WHERE {EVENT} = 1"], {("hash", 1)}),
    "flip digest": (
        [f"UPDATE events SET payload_digest = :bytes WHERE {EVENT} = 250"],
        {("payload", 250), ("hash", 250)},
    ),
    "flip hash": (
        [f"UPDATE events SET hash = :bytes WHERE {EVENT} = 250"],
        {("hash", 250), ("hash", 251)},
    ),
    "flip bounds": ([f"UPDATE events SET bounds = 'opens' WHERE {EVENT} = 3"], {("bounds", 3)}),
    "flip head": (
        ["UPDATE streams SET head_hash = :bytes WHERE name = 'session:7'"],
        {("head", 500)},
    ),
    "drop": (
        [
            f"DELETE FROM events WHERE {EVENT} = 250",
            f"DELETE FROM event_payloads WHERE {EVENT} = 250",
        ],
        {("gap", 250)},
    ),
    "drop payload": (
        [f"DELETE FROM event_payloads WHERE {EVENT} = 250"],
        {("payload-missing", 250)},
    ),
    "insert in the middle": (
        [f"UPDATE events SET seq = 501 WHERE {EVENT} = 500", COPY.format(seq=500)],
        {
            ("payload", 500),
            ("hash", 500),
            ("payload-missing", 501),
            ("hash", 501),
            ("position", 501),
            ("head", 501),
            ("sealed-head", 500),
        },
    ),
    "insert at the end": (
        [COPY.format(seq=501)],
        {("payload-missing", 501), ("hash", 501), ("head", 501)},
    ),
    "swap": (
        [
            f"UPDATE events SET seq = 999 WHERE {EVENT} = 250",
            f"UPDATE events SET seq = 250 WHERE {EVENT} = 400",
            f"UPDATE events SET seq = 400 WHERE {EVENT} = 999",
        ],
        {
            ("payload", 250),
            ("hash", 250),
            ("hash", 251),
            ("position", 251),
            ("payload", 400),
            ("hash", 400),
            ("hash", 401),
            ("position", 400),
        },
    ),
    "truncate": (
        [
            f"DELETE FROM events WHERE {EVENT} > 400",
            f"DELETE FROM event_payloads WHERE {EVENT} > 400",
        ],
        {("head", 401), ("sealed-head", 500)},
    ),
    "truncate, and set the head": (
        [
            f"DELETE FROM events WHERE {EVENT} > 400",
            f"DELETE FROM event_payloads WHERE {EVENT} > 400",
            SET_HEAD,
        ],
        {("sealed-head", 500)},
    ),
    "take the stream away": (
        [
            f"DELETE FROM event_payloads WHERE stream_id = {STREAM_ID}",
            f"DELETE FROM events WHERE stream_id = {STREAM_ID}",
            "DELETE FROM streams WHERE name = 'session:7'",
        ],
        {("sealed-head", 500)},
    ),
}


class Undone(Exception):
    """Rolls a tampering back."""


async def tampered(
    database: Database, statements: Sequence[str], anchors: Sequence[Seal] = ()
) -> Report:
    """What verification says of the log after `statements`, which are then undone."""
    found: list[Report] = []

    async def look() -> None:
        async with database.write() as session:
            await unguard(session)
            for statement in statements:
                values = {"bytes": b"\x00" * 32} if ":bytes" in statement else {}
                await session.execute(text(statement), values)
            found.append(await verify(session, anchors=anchors, trusted={KEY.public}))
            raise Undone

    with pytest.raises(Undone):
        await look()
    return found[0]


async def fill(log: EventLog) -> list[Seal]:
    """Ten thousand events and their seals."""
    sealer = Sealer(log.database, KEY, holder="test")
    seals: list[Seal] = []
    for number in range(STREAMS):
        stream = f"session:{number}"
        async with log.unit(stream) as unit:
            for event in range(EACH):
                unit.append(stream, fact(f"r{event}"), actor=ACTOR)
        seal = await sealer.step()
        seals += [] if seal is None else [seal]
    return seals


@pytest.mark.requirement("60")
async def test_log_when_one_row_of_ten_thousand_is_touched_then_that_is_found_and_named(
    log: EventLog,
) -> None:
    anchors = await fill(log)
    async with log.database.read() as session:
        whole = await verify(session, anchors=anchors, trusted={KEY.public})
    assert (whole.events, whole.streams, whole.findings) == (STREAMS * EACH, STREAMS, [])
    assert (whole.seals, whole.anchors) == (len(anchors), len(anchors)) != (0, 0)

    for name, (statements, expected) in TAMPERING.items():
        report = await tampered(log.database, statements)
        found = {(each.what, each.seq) for each in report.findings}
        assert found == expected, name
        assert {each.stream for each in report.findings} == {NAME}, name

    for name, statement, what in (
        ("a seal is changed", "UPDATE seals SET root = :bytes WHERE id = 5", {"seal", "anchor"}),
        ("a seal is gone", "DELETE FROM seals WHERE id = 5", {"seal", "anchor"}),
        ("a head is gone", "DELETE FROM seal_heads WHERE seal_id = 5", {"seal"}),
        ("the last seal is gone", f"DELETE FROM seals WHERE id = {anchors[-1].id}", {"anchor"}),
    ):
        loose = [statement]
        if statement.startswith("DELETE FROM seals "):
            loose = [statement.replace("seals WHERE id", "seal_heads WHERE seal_id"), statement]
        report = await tampered(log.database, loose, anchors)
        assert {each.what for each in report.findings} == what, name


@pytest.mark.requirement("60")
async def test_history_when_written_anew_with_another_key_then_key_and_anchors_tell(
    log: EventLog,
) -> None:
    stream = "session:1"
    async with log.unit(stream) as unit:
        unit.append(stream, fact("as it was"), actor=ACTOR)
    anchor = await Sealer(log.database, KEY, holder="test", events=1).step()
    assert anchor is not None
    async with log.database.write() as session:
        await unguard(session)
        for table in ("seal_heads", "seals", "event_payloads", "events", "streams"):
            await session.execute(text(f"DELETE FROM {table}"))
    async with log.unit(stream) as unit:
        unit.append(stream, fact("as somebody wants it"), actor=ACTOR)
    forger = SealingKey(KeyRing(b"f" * 32))
    assert await Sealer(log.database, forger, holder="test", events=1).step() is not None
    async with log.database.read() as session:
        plain = await verify(session)
        by_key = await verify(session, trusted={KEY.public})
        by_anchor = await verify(session, anchors=[anchor])
    assert plain.findings == []  # which is why there are keys and anchors
    assert [each.what for each in by_key.findings] == ["seal"]
    assert [each.what for each in by_anchor.findings] == ["anchor"]


@pytest.mark.requirement("60")
async def test_log_when_some_of_it_was_erased_then_it_is_whole(log: EventLog) -> None:
    async with log.unit(NAME) as unit:
        for number in range(10):
            unit.append(NAME, fact(f"r{number}"), actor=ACTOR)
    await Sealer(log.database, KEY, holder="test", events=1).step()
    async with log.unit(NAME) as unit:
        await Eraser().erase(unit, NAME, reason="requested", actor=ACTOR, first_seq=3, last_seq=6)
    async with log.database.read() as session:
        report = await verify(session, trusted={KEY.public})
    assert (report.findings, report.events, report.erased) == ([], 11, 4)
    report = await tampered(log.database, [f"DELETE FROM event_payloads WHERE {EVENT} = 7"])
    assert [(each.what, each.seq) for each in report.findings] == [("payload-missing", 7)]


async def test_stream_when_it_alone_is_verified_then_others_are_not_read(log: EventLog) -> None:
    for stream in ("session:1", NAME, "session:8"):
        async with log.unit(stream) as unit:
            unit.append(stream, fact(), actor=ACTOR)
    async with log.database.read() as session:
        assert (await verify(session, stream=NAME)).events == 1
        with pytest.raises(StreamNotFound):
            await verify(session, stream="session:none")


@pytest.mark.requirement("60")
@pytest.mark.parametrize("table", ["events", "event_payloads", "seals", "seal_heads"])
async def test_rows_of_the_log_when_somebody_changes_them_then_the_database_refuses(
    log: EventLog, table: str
) -> None:
    async with log.unit(NAME) as unit:
        unit.append(NAME, fact(), actor=ACTOR)
    await Sealer(log.database, KEY, holder="test", events=1).step()
    column = {"seal_heads": "seal_id", "seals": "at"}.get(table, "seq")
    statements = [f"UPDATE {table} SET {column} = 9"]
    if table != "event_payloads":  # from there payloads are erased
        statements.append(f"DELETE FROM {table}")
    for statement in statements:
        with pytest.raises(Exception, match="the log only grows"):
            async with log.database.write() as session:
                await session.execute(text(statement))


@pytest.mark.requirement("60")
async def test_erasure_when_it_was_forged_and_says_nothing_then_it_is_found_and_named(
    log: EventLog,
) -> None:
    async with log.unit(NAME) as unit:
        unit.append(NAME, fact(), actor=ACTOR)
    async with log.unit(NAME) as unit:
        await Eraser().erase(unit, NAME, reason="requested", actor=ACTOR)
    digest = hashlib.sha256(bytes(32) * 2).hexdigest()
    literal = f"X'{digest}'" if log.database.dialect == "sqlite" else f"'\\x{digest}'"
    forged = [
        f"UPDATE event_payloads SET payload = :bytes, salt = :bytes WHERE {EVENT} = 2",
        f"UPDATE events SET payload_digest = {literal} WHERE {EVENT} = 2",
    ]
    report = await tampered(log.database, forged)
    assert {(each.what, each.seq) for each in report.findings} == {
        ("payload", 2),
        ("hash", 2),
        ("payload-missing", 1),
    }


@pytest.mark.requirement("60")
@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
async def test_row_when_a_column_gets_another_type_then_it_is_found_and_named(
    log: EventLog,
) -> None:
    async with log.unit(NAME) as unit:
        for _ in range(4):
            unit.append(NAME, fact(), actor=ACTOR)
    for statement, expected in (
        (
            f"UPDATE events SET payload_digest = 'text' WHERE {EVENT} = 2",
            {("payload", 2), ("hash", 2)},
        ),
        (f"UPDATE events SET hash = 'text' WHERE {EVENT} = 2", {("hash", 2), ("hash", 3)}),
        (f"UPDATE event_payloads SET salt = 'text' WHERE {EVENT} = 2", {("hash", 2)}),
        ("UPDATE streams SET head_seq = 'text' WHERE name = 'session:7'", {("head", 4)}),
    ):
        report = await tampered(log.database, [statement])
        assert {(each.what, each.seq) for each in report.findings} == expected, statement


@pytest.mark.requirement("60")
@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
async def test_seal_when_a_column_gets_another_type_then_it_is_found_and_named(
    log: EventLog,
) -> None:
    async with log.unit(NAME) as unit:
        unit.append(NAME, fact(), actor=ACTOR)
    await Sealer(log.database, KEY, holder="test", events=1).step()
    for column in ("at", "position", "heads", "root", "previous", "key", "signature"):
        report = await tampered(log.database, [f"UPDATE seals SET {column} = 'text'"])
        assert ("seal", 1) in {(each.what, each.seq) for each in report.findings}, column
    for column in ("stream", "seq", "hash"):
        value = "x'00ff'" if column == "stream" else "'text'"
        report = await tampered(log.database, [f"UPDATE seal_heads SET {column} = {value}"])
        assert ("seal", 1) in {(each.what, each.seq) for each in report.findings}, column
