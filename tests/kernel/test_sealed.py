"""Sealed columns under a new secret, while they are read and written."""

from __future__ import annotations

import asyncio
import random

import pytest
from sqlalchemy import Column, LargeBinary, MetaData, String, Table, insert, select, update

from homeport.kernel.crypto import KeyRing, SealBroken
from homeport.kernel.db import Database, Model, SealedColumn
from homeport.kernel.db.sealed import Rewrapped, rewrap
from homeport.wiring.secret import SEALED

OLD, NEW = b"the secret of before, long enough it is", b"the secret that is to be, long enough"
CHESTS = Table(
    "chests",
    MetaData(),
    Column("id", String(36), primary_key=True),
    Column("owner", String(36), nullable=False),
    Column("value_sealed", LargeBinary, nullable=False),
)
COLUMN = SealedColumn(CHESTS, "value_sealed", purpose="chests", identified_by=("owner", "id"))
FEW, MANY = 450, 10_000


def _sealed(ring: KeyRing, number: int, value: bytes) -> bytes:
    context = COLUMN.context(f"owner{number % 7}", f"{number:05}")
    return ring.seal(COLUMN.purpose, value, context=context)


@pytest.fixture
async def chests(database: Database) -> Database:
    async with database.write() as session:
        await (await session.connection()).run_sync(CHESTS.create)
    return database


async def _fill(database: Database, ring: KeyRing, count: int) -> None:
    rows = [
        {
            "id": f"{number:05}",
            "owner": f"owner{number % 7}",
            "value_sealed": _sealed(ring, number, b"%d" % number),
        }
        for number in range(count)
    ]
    async with database.write() as session:
        await session.execute(insert(CHESTS), rows)


async def _read(database: Database, ring: KeyRing, number: int) -> bytes:
    query = select(CHESTS.c.value_sealed, CHESTS.c.owner).where(CHESTS.c.id == f"{number:05}")
    async with database.read() as session:
        sealed, owner = (await session.execute(query)).one()
    return ring.open(COLUMN.purpose, sealed, context=COLUMN.context(owner, f"{number:05}"))


async def _rotate_under_load(database: Database, count: int) -> None:
    """Rewraps `count` rows while another node reads them, and a third one writes some anew."""
    await _fill(database, KeyRing(OLD), count)
    reader, writer = KeyRing(OLD, NEW), KeyRing(NEW, OLD)
    written: set[int] = set()
    reads, done = 0, asyncio.Event()

    async def read() -> None:
        nonlocal reads
        while not done.is_set():
            number = random.randrange(count)
            assert await _read(database, reader, number) in {b"%d" % number, b"anew"}
            reads += 1

    async def write() -> None:
        while not done.is_set():
            number = random.randrange(count)
            written.add(number)
            async with database.write() as session:
                await session.execute(
                    update(CHESTS)
                    .where(CHESTS.c.id == f"{number:05}")
                    .values(value_sealed=_sealed(writer, number, b"anew"))
                )
            await asyncio.sleep(0.01)

    async with asyncio.TaskGroup() as group:
        for work in (read, read, read, write):
            group.create_task(work())
        rewrapped = await rewrap(database, writer, COLUMN)
        done.set()
    assert rewrapped.foreign == 0
    assert count - len(written) <= rewrapped.rows <= count
    assert reads > 0
    assert await rewrap(database, writer, COLUMN) == Rewrapped(rows=0, foreign=0)
    new = KeyRing(NEW)  # the old secret is forgotten
    for number in random.sample(range(count), 100):
        expected = b"anew" if number in written else b"%d" % number
        assert await _read(database, new, number) == expected


@pytest.mark.requirement("59")
async def test_rewrap_when_rows_are_read_and_written_meanwhile_then_every_read_opens(
    chests: Database,
) -> None:
    await _rotate_under_load(chests, FEW)


@pytest.mark.faults
@pytest.mark.requirement("59")
async def test_rewrap_when_ten_thousand_rows_are_read_meanwhile_then_every_read_opens(
    chests: Database,
) -> None:
    await _rotate_under_load(chests, MANY)


async def test_rewrap_when_no_known_secret_opens_some_then_they_stay_and_are_counted(
    chests: Database,
) -> None:
    await _fill(chests, KeyRing(b"a secret that nobody here has ever known"), 3)
    assert await rewrap(chests, KeyRing(NEW, OLD), COLUMN) == Rewrapped(rows=0, foreign=3)


@pytest.mark.requirement("59")
async def test_value_when_moved_to_another_row_then_it_does_not_open(chests: Database) -> None:
    ring = KeyRing(OLD)
    await _fill(chests, ring, 2)
    async with chests.write() as session:
        first = await session.scalar(select(CHESTS.c.value_sealed).where(CHESTS.c.id == "00000"))
        await session.execute(
            update(CHESTS).where(CHESTS.c.id == "00001").values(value_sealed=first)
        )
    with pytest.raises(SealBroken):
        await _read(chests, ring, 1)


@pytest.mark.requirement("59")
def test_columns_when_they_are_sealed_then_the_rotation_knows_them() -> None:
    sealed = {
        (table.name, column.name)
        for table in Model.metadata.tables.values()
        for column in table.columns
        if column.name.endswith("_sealed")
    }
    assert sealed == {(each.table.name, each.name) for each in SEALED}
    assert len({each.purpose for each in SEALED}) == len(SEALED)
