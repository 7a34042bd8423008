"""Columns of sealed values, and how they are brought under the present secret while they are used.

Each room names its own as a `SealedColumn`; `homeport secrets rotate` goes through all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Table, bindparam, select, update

from homeport.kernel.crypto import KeyRing, SealForeign
from homeport.kernel.db.engine import Database

BATCH: Final = 100  # rows in one write unit: on SQLite everybody else waits that long


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """A column whose every value is sealed, and what it is bound to.

    Attributes:
        table: Its primary key is one column of text.
        name: Of the column; it is not null.
        purpose: The label of its key.
        identified_by: Names of the columns whose values, behind the names of table and column, are
            the context of a value.
    """

    table: Table
    name: str
    purpose: str
    identified_by: tuple[str, ...] = ("id",)

    def context(self, *identity: str) -> tuple[str, ...]:
        """What the value of the row with these values is bound to."""
        return (self.table.name, self.name, *identity)


@dataclass(frozen=True, slots=True)
class Rewrapped:
    """What a round through a column has done.

    Attributes:
        rows: Written anew.
        foreign: Left as they are, for no known secret opens them.
    """

    rows: int
    foreign: int


async def rewrap(database: Database, keyring: KeyRing, sealed: SealedColumn) -> Rewrapped:
    """Brings every value of a column under the present secret of `keyring`.

    Rows may be read and written meanwhile: each is replaced only if it still is what was read, and
    one that changed was sealed under the present secret already.

    Raises:
        SealBroken: A value was changed or moved; those before it are done.
        Unavailable: The database does not take it; those before it are done.
    """
    rows = foreign = 0
    after, columns = "", sealed.table.c
    (key,) = sealed.table.primary_key
    identity = (columns[name] for name in sealed.identified_by)
    query = select(key, columns[sealed.name], *identity).order_by(key).limit(BATCH)
    while True:
        async with database.read() as session:
            page = (await session.execute(query.where(key > after))).all()
        if not page:
            return Rewrapped(rows, foreign)
        stale: list[dict[str, Any]] = []
        for row in page:
            row_key, value, *row_identity = list[Any](row)
            context = sealed.context(*row_identity)
            if keyring.is_current(sealed.purpose, value):
                continue
            try:
                renewed = keyring.rewrap(sealed.purpose, value, context=context)
            except SealForeign:
                foreign += 1
                continue
            stale.append({"key_was": row_key, "value_was": value, "renewed": renewed})
        await _replace(database, sealed, stale)
        rows += len(stale)
        after = page[-1][0]


async def _replace(database: Database, sealed: SealedColumn, stale: list[dict[str, Any]]) -> None:
    if not stale:
        return
    (key,), column = sealed.table.primary_key, sealed.table.c[sealed.name]
    statement = (
        update(sealed.table)
        .where(key == bindparam("key_was"), column == bindparam("value_was"))
        .values({sealed.name: bindparam("renewed")})
    )
    async with database.write() as session:
        await (await session.connection()).execute(statement, stale)
