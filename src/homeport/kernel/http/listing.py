"""A page of what a query finds, of lists that are keyed by ids: the newest comes first.

    page = await newest(session, select(Device).where(...), Device.id, paging)
    return DevicePage(devices=[... page.items], **page.fields())

The total is counted up to 10,000; beyond that it says so.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar, TypeVarTuple

from sqlalchemy import Row, Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from homeport.kernel.http.pagination import Page, PageRequest, paginate

MOST_COUNTED: Final = 10_000

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


async def newest(
    session: AsyncSession, query: Select[T], key: InstrumentedAttribute[str], paging: PageRequest
) -> Page[T]:
    """The page of a query for one kind of row.

    Raises:
        BadCursor: The cursor is not of such a list.
    """
    page = await newest_rows(session, query, key, paging)
    return page.of([row for (row,) in page.items])


async def newest_rows(
    session: AsyncSession, query: Select[*Ts], key: InstrumentedAttribute[str], paging: PageRequest
) -> Page[Row[*Ts]]:
    """The page of a query whose rows begin with what has the `key`.

    Raises:
        BadCursor: The cursor is not of such a list.
    """
    after = paging.after_id()
    behind = query if after is None else query.where(key < after)
    found = await session.execute(
        behind.order_by(key.desc()).limit(paging.limit + 1).offset(paging.skip)
    )
    few = query.with_only_columns(key).limit(MOST_COUNTED + 1).subquery()
    total = await session.scalar(select(func.count()).select_from(few)) or 0

    def place(row: Any) -> tuple[str]:
        return (getattr(row[0], key.key),)

    return paginate(
        paging,
        found.all(),
        total=min(total, MOST_COUNTED),
        total_capped=total > MOST_COUNTED,
        key=place,
    )
