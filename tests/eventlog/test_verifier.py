"""The verification that the server does by itself: when, by whom, and what it writes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import text

from homeport.eventlog import EventLog
from homeport.eventlog.seal import SealingKey
from homeport.eventlog.sealer import Sealer
from homeport.eventlog.verifier import Verified, Verifier, last_verified
from homeport.eventlog.verify_process import Question, Unverified
from homeport.kernel.crypto import KeyRing
from support.facts import append, fact
from support.tampering import unguard

KEY = SealingKey(KeyRing(b"k" * 32))


def verifier(log: EventLog, question: Question, name: str, *, hours: float = 0) -> Verifier:
    return Verifier(log, lambda: question, node=name, holder=f"{name}:1", hours=hours)


async def found(log: EventLog) -> Verified | None:
    async with log.database.read() as session:
        return await last_verified(session)


@pytest.mark.requirement("60")
async def test_verifiers_when_it_is_due_then_one_verifies_and_says_so_in_the_log(
    log: EventLog, database_url: str
) -> None:
    question = Question(database_url, (), {KEY.public})
    assert await found(log) is None
    await verifier(log, question, "a").step()  # of nothing
    assert await found(log) is None
    await append(log, "session:1", fact(), fact())
    assert await Sealer(log.database, KEY, holder="a").step() is not None
    await verifier(log, question, "a", hours=1).step()
    assert await found(log) is None
    await asyncio.gather(*(verifier(log, question, name).step() for name in "ab"))
    first = await found(log)
    assert first is not None
    told = first.fact
    assert (told.events, told.streams, told.seals, told.last_seal) == (2, 1, 1, 1)
    assert (told.position, told.findings, told.first) == (2, 0, [])
    await verifier(log, question, "c", hours=1).step()
    assert await found(log) == first

    async with log.database.write() as session:
        await unguard(session)
        await session.execute(text("UPDATE events SET actor = 'user:eve' WHERE position = 2"))
    await verifier(log, question, "d").step()  # the lease was given back
    second = await found(log)
    assert second is not None
    assert (second.fact.node, second.fact.findings, second.fact.events) == ("d", 1, 3)
    (damage,) = second.fact.first
    assert (damage.what, damage.stream, damage.seq) == ("hash", "session:1", 2)

    async with log.database.write() as session:
        await unguard(session)
        await session.execute(text("UPDATE event_payloads SET payload = salt WHERE seq = 2"))
    assert await found(log) is None  # what it says is no verification any more


@pytest.mark.requirement("40")
@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
async def test_verification_when_the_working_directory_has_modules_then_none_is_imported(
    log: EventLog, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await append(log, "session:1", fact())
    # What an agent may leave in a workspace, in which the server was started.
    (tmp_path / "orjson.py").write_text("raise SystemExit('taken')\n")
    monkeypatch.chdir(tmp_path)
    await verifier(log, Question(database_url, (), ()), "a").step()
    verified = await found(log)
    assert verified is not None
    assert verified.fact.findings == 0


@pytest.mark.requirement("60")
@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
async def test_verification_when_an_anchor_file_is_damaged_then_that_is_found_and_named(
    log: EventLog, database_url: str, tmp_path: Path
) -> None:
    await append(log, "session:1", fact())
    damaged = tmp_path / "damaged.jsonl"
    damaged.write_text("no seal\n")
    await verifier(log, Question(database_url, [damaged, tmp_path / "none"], ()), "a").step()
    verified = await found(log)
    assert verified is not None
    assert [each.detail.partition(":")[0] for each in verified.fact.first] == [
        "damaged.jsonl",
        "none",
    ]


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
async def test_verification_when_its_process_fails_then_it_is_told_and_not_tried_at_once(
    log: EventLog, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    await append(log, "session:1", fact())
    broken = tmp_path / "broken.db"
    broken.write_bytes(b"no database" * 100)
    tries = verifier(log, Question(f"sqlite:///{broken}", (), ()), "a")
    with pytest.raises(Unverified):
        await tries.step()
    assert "not a database" in capfd.readouterr().err
    await tries.step()
    assert await found(log) is None
