"""The trail is asked about by the kind of events and by who did it: neither reads all of the log."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import event

from homeport.eventlog import trail
from homeport.eventlog.trail import Wanted
from homeport.kernel.db import Database


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (Wanted(kind="access.denied"), "ix_events_kind"),
        (Wanted(actor="user:eve"), "ix_events_actor"),
    ],
)
async def test_trail_when_one_kind_or_actor_is_wanted_then_an_index_finds_and_orders_it(
    database: Database, wanted: Wanted, index: str
) -> None:
    asked: list[tuple[str, Any]] = []

    def note(*call: Any) -> None:
        asked.append((call[2], call[3]))

    engine = database.reader.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        async with database.read() as session:
            assert await trail.entries(session, wanted, before=9, limit=9, skip=0) == []
            assert await trail.count(session, wanted, most=9) == 0
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert len(asked) == 2
    async with database.reader.connect() as connection:
        for statement, given in asked:
            plan = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given)
            shown = "\n".join(str(row["detail"]) for row in plan.mappings())
            assert index in shown, shown
            assert "TEMP B-TREE" not in shown, shown
