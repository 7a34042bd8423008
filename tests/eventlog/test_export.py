"""An export alone shows whether it is the log: whatever is done to a line of it is found."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import orjson
import pytest
from sqlalchemy import text

from homeport.eventlog import Eraser, EventLog
from homeport.eventlog.errors import StreamNotFound
from homeport.eventlog.export import export
from homeport.eventlog.export_lines import BadLine
from homeport.eventlog.report import Report
from homeport.eventlog.seal import Seal, SealingKey
from homeport.eventlog.sealer import Sealer
from homeport.eventlog.verify import verify
from homeport.eventlog.verify_export import verify_export
from homeport.kernel.crypto import KeyRing
from support.facts import ACTOR, fact
from support.tampering import unguard

STREAMS, EACH = 20, 500
KEY = SealingKey(KeyRing(b"k" * 32))
Lines = list[bytes]
Found = set[tuple[str, str | None, int]]


async def fill(log: EventLog, *, streams: int = STREAMS, each: int = EACH) -> list[Seal]:
    sealer = Sealer(log.database, KEY, holder="test", events=each)
    seals: list[Seal] = []
    for number in range(streams):
        stream = f"session:{number}"
        async with log.unit(stream) as unit:
            for event in range(each):
                unit.append(stream, fact(f"r{event}"), actor=ACTOR)
        seal = await sealer.step()
        seals += [] if seal is None else [seal]
    return seals


async def exported(
    log: EventLog, *, stream: str | None = None, since: int | None = None
) -> list[bytes]:
    async with log.database.read() as session:
        pieces = [piece async for piece in export(session, stream=stream, since=since)]
    return b"".join(pieces).splitlines(keepends=True)


def place(lines: Lines, kind: str, stream: str | None = None, seq: int | None = None) -> int:
    """The index of the first such line."""
    for index, line in enumerate(lines):
        read = orjson.loads(line)
        fits = stream in {None, read.get("stream")} and seq in {None, read.get("seq")}
        if read["type"] == kind and fits:
            return index
    raise LookupError(kind)


def set_member(line: bytes, **members: object) -> bytes:
    return orjson.dumps(orjson.loads(line) | members) + b"\n"


def closed(lines: Sequence[bytes]) -> Lines:
    """The lines with an end that fits, as somebody makes it who knows how."""
    digest = hashlib.sha256(b"".join(lines[:-1])).hexdigest()
    return [*lines[:-1], set_member(lines[-1], lines=len(lines) - 1, digest=digest)]


def found_in(lines: Sequence[bytes]) -> Found:
    findings = verify_export(lines, trusted={KEY.public}).findings
    return {(each.what, each.stream, each.seq) for each in findings}


@pytest.mark.requirement("60")
@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
async def test_export_when_one_line_of_ten_thousand_is_touched_then_that_is_found_and_named(
    log: EventLog,
) -> None:
    anchors = await fill(log)
    lines = await exported(log)
    assert len(lines) > STREAMS * EACH
    whole = verify_export(lines, anchors=anchors, trusted={KEY.public})
    assert (whole.events, whole.streams, whole.seals) == (STREAMS * EACH, STREAMS, len(anchors))
    assert (whole.findings, whole.unchecked, whole.partial) == ([], [], False)
    name = "session:7"
    at = place(lines, "event", name, 250)

    def member(**members: object) -> Lines:
        return closed([*lines[:at], set_member(lines[at], **members), *lines[at + 1 :]])

    made: list[tuple[str, Lines, Found]] = [
        ("actor", member(actor="user:eve"), {("hash", name, 250)}),
        ("time", member(at=1), {("hash", name, 250)}),
        ("payload", member(payload="e30="), {("payload", name, 250)}),
        ("salt", member(salt="AAAA"), {("payload", name, 250)}),
        ("hash", member(hash="00" * 32), {("hash", name, 250), ("hash", name, 251)}),
        ("bounds", member(bounds="opens"), {("bounds", name, 250)}),
        (
            "payload gone",
            member(payload=None, salt=None, erased=True),
            {("payload-missing", name, 250)},
        ),
        ("drop", closed([*lines[:at], *lines[at + 1 :]]), {("gap", name, 250)}),
        (
            "insert",
            closed([*lines[: at + 1], lines[at], *lines[at + 1 :]]),
            {("line", None, at + 2)},
        ),
        (
            "swap",
            closed([*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]]),
            {("gap", name, 250), ("line", None, at + 2)},
        ),
        (
            "flip a byte that no hash covers",
            [
                *lines[:at],
                lines[at].replace(b'"position":3750', b'"position":3759'),
                *lines[at + 1 :],
            ],
            {("position", name, 251)},
        ),
    ]
    for what, touched, expected in made:
        assert touched != lines, what
        assert found_in(touched) == expected, what
    cut = found_in(lines[: at + 1])
    assert {("line", None, at + 2), ("head", name, 251), ("sealed-head", name, 500)} <= cut


@pytest.mark.requirement("60")
@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
async def test_export_when_any_line_is_flipped_dropped_doubled_or_swapped_then_it_is_not_whole(
    log: EventLog,
) -> None:
    await fill(log, streams=4, each=3)
    lines = await exported(log)
    assert found_in(lines) == set()
    touches: list[Callable[[int], Lines]] = [
        lambda n: [*lines[:n], lines[n].replace(b":", b": ", 1), *lines[n + 1 :]],
        lambda n: [*lines[:n], flipped(lines[n]), *lines[n + 1 :]],
        lambda n: [*lines[:n], *lines[n + 1 :]],
        lambda n: [*lines[:n], lines[n], *lines[n:]],
        lambda n: lines[:n],
        lambda n: [*lines[: n - 1], lines[n], lines[n - 1], *lines[n + 1 :]],
    ]
    for number in range(1, len(lines)):
        for index, touch in enumerate(touches[: 5 if number == 1 else 6]):
            assert found_in(touch(number)), (number, index)
        kind = orjson.loads(lines[number])["type"]
        if kind in {"seal", "stream", "sealed_head"}:  # and when the end is made to fit
            assert found_in(closed(touches[2](number))), number
    unsealed = [set_member(lines[0], first_seal=9), *lines[place(lines, "stream") :]]
    assert found_in(closed(unsealed)) == {("line", None, 1)}
    endless = set_member(lines[0], since=10**17)
    for first in (
        b"",
        b"{}\n",
        lines[1],
        endless,
        lines[0].replace(b'"format":1', b'"format":2'),
    ):
        with pytest.raises(BadLine):
            verify_export([first, *lines[1:]])
    with pytest.raises(BadLine):
        verify_export([])


def flipped(line: bytes) -> bytes:
    """The line with one bit of its middle changed."""
    middle = len(line) // 2
    return line[:middle] + bytes([line[middle] ^ 1]) + line[middle + 1 :]


@pytest.mark.requirement("60")
async def test_export_when_it_is_a_part_then_it_says_what_was_not_checked(log: EventLog) -> None:
    anchors = await fill(log, streams=3, each=4)
    async with log.database.write() as session:
        await unguard(session)
        # As if the last stream had been written an hour after the others.
        late = "(SELECT min(position) FROM events WHERE stream_id ="
        late += " (SELECT id FROM streams WHERE name = 'session:2'))"
        await session.execute(text(f"UPDATE events SET at = 5000 WHERE position >= {late}"))
        await session.execute(text(f"UPDATE events SET at = 1000 WHERE position < {late}"))
    alone = await exported(log, stream="session:1")
    assert b"session:0" not in b"".join(alone)
    report = verify_export(alone, anchors=anchors)
    assert (report.streams, report.events, report.seals) == (1, 4, len(anchors))
    assert {each.what for each in report.findings} == {"hash"}  # the times are not as written
    assert report.partial
    assert any("every stream but session:1" in each for each in report.unchecked)

    young = await exported(log, since=2_000)
    report = verify_export(young, anchors=anchors)
    assert (report.streams, report.events, report.seals) == (1, 4, 1)
    assert {each.what for each in report.findings} == {"hash"}
    assert report.partial
    assert [each for each in report.unchecked if "1970-01-01T00:00:02.000Z" in each]
    nothing = verify_export(await exported(log, since=9_000), anchors=anchors)
    assert (nothing.events, nothing.findings, nothing.partial) == (0, [], True)
    with pytest.raises(StreamNotFound):
        await exported(log, stream="session:none")


@pytest.mark.requirement("60")
async def test_export_when_taken_up_in_a_stream_then_it_follows_on_what_was_before(
    log: EventLog,
) -> None:
    await fill(log, streams=2, each=4)
    lines = await exported(log)
    since = max(orjson.loads(line)["at"] for line in lines if b'"type":"event"' in line) + 1
    while orjson.loads((await exported(log))[0])["at"] <= since:
        pass  # the clock has to go on by a millisecond
    async with log.unit("session:0") as unit:
        unit.append("session:0", fact("late"), actor=ACTOR)
    part = await exported(log, since=since)
    report = verify_export(part)
    assert (report.events, report.streams, report.findings) == (1, 1, [])
    assert orjson.loads(part[place(part, "stream")])["after"] == 4
    index = place(part, "stream")
    part[index] = set_member(part[index], previous="00" * 32)
    assert ("hash", "session:0", 5) in found_in(closed(part))


@pytest.mark.requirement("60")
async def test_export_when_some_was_erased_or_the_log_is_damaged_then_it_tells_as_the_log_does(
    log: EventLog,
) -> None:
    name = "session:0"
    await fill(log, streams=2, each=10)
    async with log.unit(name) as unit:
        await Eraser().erase(unit, name, reason="requested", actor=ACTOR, first_seq=3, last_seq=6)
    lines = await exported(log)
    report = verify_export(lines, trusted={KEY.public})
    assert (report.findings, report.events, report.erased) == ([], 21, 4)
    marked = [orjson.loads(line) for line in lines if b'"erased":true' in line]
    assert [(each["seq"], each["payload"], each["salt"]) for each in marked] == [
        (seq, None, None) for seq in range(3, 7)
    ]
    index = place(lines, "event", name, 5)
    lines[index] = set_member(lines[index], erased=False)
    assert ("line", None, index + 1) in found_in(closed(lines))

    stream_id = f"stream_id = (SELECT id FROM streams WHERE name = '{name}')"
    async with log.database.write() as session:
        await unguard(session)
        for table in ("event_payloads", "events"):
            await session.execute(text(f"DELETE FROM {table} WHERE {stream_id} AND seq IN (1, 8)"))
        await session.execute(text(f"DELETE FROM event_payloads WHERE {stream_id} AND seq = 9"))
    async with log.database.read() as session:
        of_log = await verify(session, trusted={KEY.public})
    assert words(of_log) == words(verify_export(await exported(log), trusted={KEY.public})) != []


def words(report: Report) -> list[str]:
    return sorted(map(repr, report.findings))


@pytest.mark.requirement("60")
async def test_anchors_when_they_are_not_of_the_export_then_that_is_damage_unless_newer(
    log: EventLog,
) -> None:
    anchors = await fill(log, streams=2, each=3)
    lines = await exported(log)
    later = KEY.seal([], before=anchors[-1], at=anchors[-1].at + 600_000, position=9)
    report = verify_export(lines, anchors=[*anchors, later])
    assert (report.findings, report.anchors) == ([], 2)
    assert report.unchecked == ["1 anchors of seals older or newer than the file"]
    other = SealingKey(KeyRing(b"o" * 32))
    forged = other.seal([], before=None, at=anchors[0].at, position=3)
    report = verify_export(lines, anchors=[forged], trusted={other.public})
    assert [(each.what, each.seq) for each in report.findings] == [("seal", 2), ("anchor", 1)]
    assert "whose key" in verify_export(lines).unchecked[0]
