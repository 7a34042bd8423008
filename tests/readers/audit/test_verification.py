"""The server verifies its own log, and says what it found."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import Any

import pytest

from readers.api import Api, admin_of
from support.server import MakeServer


async def verification(admin: Api, *, findings: int) -> dict[str, Any]:
    """The first one that found so much."""
    async with asyncio.timeout(60):
        while True:
            state = await admin.get("/v1/audit/verify")
            told = state["verification"]
            if told is not None and told["findings"] == findings and told["last_seal"] > 0:
                return state
            await asyncio.sleep(0.1)


@pytest.mark.requirement("60")
async def test_log_when_it_is_damaged_then_the_server_finds_it_by_itself_and_stays_ready(
    make_server: MakeServer,
) -> None:
    server = make_server(AUDIT_VERIFY_HOURS="0.0003", NODE_ID="node-7")
    async with admin_of(server) as admin:
        eve = await admin.somebody_else()
        assert (await eve.call("GET", "/v1/audit/verify")).status == 403
        state = await verification(admin, findings=0)
        told = state["verification"]
        assert (told["node"], told["first"], state["last_seal"]["id"] > 0) == ("node-7", [], True)
        assert 0 < told["events"] <= told["position"]

        with sqlite3.connect(server.data_dir / "homeport.db", timeout=30) as rows:
            for (name,) in rows.execute(
                "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'events'"
            ).fetchall():
                rows.execute(f"DROP TRIGGER {name}")
            rows.execute("UPDATE events SET actor = 'user:eve' WHERE position = 1")
            damaged = rows.execute(
                "SELECT s.name, e.seq FROM events e JOIN streams s ON s.id = e.stream_id"
                " WHERE e.position = 1"
            ).fetchone()
        rows.close()
        told = (await verification(admin, findings=1))["verification"]
        (damage,) = told["first"]
        assert (damage["what"], damage["stream"], damage["seq"]) == ("hash", *damaged)
        ready = await admin.get("/readyz")
        assert ready["components"]["audit"]["ok"]
        assert ready["components"]["audit"]["detail"]["findings"] == 1
        async with asyncio.timeout(30):
            while not any(line["level"] == "error" for line in server.log_events("audit.verified")):
                await asyncio.sleep(0.1)
