"""The connection under SQLAlchemy: transactions begin with their first statement, and end."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import text

from homeport.kernel.db import Database, engine
from homeport.kernel.db.engine import SQLITE_READERS
from homeport.kernel.db.failures import DatabaseBusy
from homeport.kernel.db.sqlite_connection import SQLiteConnection, connect


@pytest.fixture
def file(tmp_path: Path) -> Path:
    with sqlite3.connect(tmp_path / "test.db") as made:
        made.execute("PRAGMA journal_mode=WAL")
        made.execute("CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT)")
    made.close()
    return tmp_path / "test.db"


async def names(connection: SQLiteConnection) -> list[str]:
    trip = connection.cursor()
    await trip.execute("SELECT name FROM things ORDER BY id")
    return [name for (name,) in await trip.fetchall()]


async def test_begin_when_nothing_follows_then_nothing_is_held(file: Path) -> None:
    one, other = await connect(file, ()), await connect(file, ())
    one.begin("BEGIN IMMEDIATE")
    other.begin("BEGIN IMMEDIATE")
    await other.cursor().execute("INSERT INTO things (name) VALUES ('other')")
    await one.rollback()
    assert not one.in_transaction
    await other.commit()
    assert await names(one) == ["other"]
    await one.close()
    await other.close()


async def test_begin_when_it_is_refused_then_no_later_statement_runs_without_it(
    file: Path,
) -> None:
    one, other = await connect(file, ()), await connect(file, ())
    one.begin("BEGIN IMMEDIATE")
    await one.cursor().execute("INSERT INTO things (name) VALUES ('one')")
    other.begin("BEGIN IMMEDIATE")
    for _ in range(2):
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            await other.cursor().execute("INSERT INTO things (name) VALUES ('other')")
    await one.commit()
    await other.cursor().execute("INSERT INTO things (name) VALUES ('other')")
    assert other.in_transaction
    await other.rollback()
    assert await names(one) == ["one"]
    await one.close()
    await other.close()


async def test_rollback_when_nobody_waits_for_it_then_the_next_transaction_comes_after_it(
    file: Path,
) -> None:
    one, other = await connect(file, ()), await connect(file, ())
    for _ in range(50):
        one.begin("BEGIN IMMEDIATE")
        await one.cursor().execute("INSERT INTO things (name) VALUES ('never')")
        await one.rollback()
        assert not one.unfinished
        one.begin("BEGIN IMMEDIATE")
        await one.cursor().execute("INSERT INTO things (name) VALUES ('once')")
        await one.commit()
    assert await names(other) == ["once"] * 50
    await one.close()
    await other.close()


async def test_statement_when_its_caller_is_cancelled_then_the_rollback_comes_after_it(
    file: Path,
) -> None:
    one, other = await connect(file, ()), await connect(file, ())
    for _ in range(50):
        one.begin("BEGIN IMMEDIATE")
        inserting = asyncio.create_task(
            one.cursor().execute("INSERT INTO things (name) VALUES ('never')")
        )
        await asyncio.sleep(0)
        inserting.cancel()
        await asyncio.gather(inserting, return_exceptions=True)
        await one.rollback()
        assert await names(one) == []
        assert not one.in_transaction
    assert await names(other) == []
    await one.close()
    await other.close()


async def test_statement_when_it_returns_rows_then_its_cursor_says_what_it_did(file: Path) -> None:
    connection = await connect(file, ())
    trip = connection.cursor()
    await trip.executemany("INSERT INTO things (name) VALUES (?)", [("a",), ("b",)])
    assert trip.rowcount == 2
    await trip.execute("INSERT INTO things (name) VALUES (?) RETURNING name", ("c",))
    assert trip.lastrowid == 3
    assert [column[0] for column in trip.description] == ["name"]
    assert await trip.fetchall() == [("c",)]
    await connection.close()


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
async def test_reads_when_there_are_more_than_connections_then_all_stand_in_line(
    database: Database,
) -> None:
    async def read() -> int | None:
        async with database.read() as session:
            found = await session.scalar(text("SELECT count(*) FROM streams"))
            await asyncio.sleep(0.001)
            return found

    assert await asyncio.gather(*[read() for _ in range(50 * SQLITE_READERS)]) == [0] * (
        50 * SQLITE_READERS
    )


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
async def test_reads_when_the_line_is_full_then_the_next_is_told_to_come_back(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "MOST_READS", 2)
    async with database.read(), database.read():
        with pytest.raises(DatabaseBusy) as refused:
            async with database.read():
                pass
        assert refused.value.retry_after == 1
    async with database.read() as session:
        assert await session.scalar(text("SELECT 1")) == 1
