"""A refusal is an event on the account: one, however often it was; and so is every verb."""

from __future__ import annotations

import ast
import asyncio
from pathlib import Path

import orjson
import pytest

import homeport.identity
from homeport.eventlog import EventLog, read
from homeport.identity import denials
from homeport.identity.denials import Denials
from homeport.identity.errors import RoleRequired
from homeport.kernel import clock
from readers.api import admin_of
from support.server import MakeServer, Server

ROOM = Path(homeport.identity.__file__).parent


@pytest.mark.requirement("60")
async def test_route_when_it_is_refused_then_the_account_has_an_event(server: Server) -> None:
    async with admin_of(server) as admin:
        eve = await admin.somebody_else()
        for _ in range(3):
            assert (await eve.call("GET", "/v1/audit/head")).status == 403
        async with asyncio.timeout(30):
            while not (found := (await eve.get("/v1/audit/me?kind=access.denied"))["events"]):
                await asyncio.sleep(0.05)
        told = found[0]["payload"]
        assert (told["route"], told["code"], told["needs"]) == (
            "GET /v1/audit/head",
            "auth.role-required",
            "audit:read",
        )
        assert 1 <= told["count"] <= 3


@pytest.mark.requirement("60")
async def test_refusals_when_there_are_many_then_one_event_a_minute_counts_them(
    log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_000.0
    monkeypatch.setattr(clock, "monotonic", lambda: now)
    monkeypatch.setattr(denials, "MOST", 1)
    noted = Denials(log)
    scope = {"type": "http", "method": "GET"}

    async def counts() -> list[int]:
        await noted.write()
        async with log.database.read() as session:
            records = await read.records_after(session, "account:eve", 0)
        return [orjson.loads(record.payload)["count"] for record in records]

    for _ in range(3):
        noted.note(scope, "eve", RoleRequired(needs="users:read"))
        noted.note(scope, "mallory", RoleRequired(needs="users:read"))  # beyond the most
    assert await counts() == [3]
    for _ in range(2):
        noted.note(scope, "eve", RoleRequired(needs="users:read"))
    assert await counts() == [3]
    now += 61
    assert await counts() == [3, 2]
    noted.note(scope, "eve", RoleRequired(needs="users:read"))
    assert await counts() == [3, 2]
    await noted.close()  # whatever was written a moment ago: the process ends
    assert await counts() == [3, 2, 1]
    async with log.database.read() as session:
        assert await read.head_of(session, "account:mallory") is None


@pytest.mark.requirement("60")
async def test_refusals_when_the_server_stops_then_all_are_written(
    make_server: MakeServer,
) -> None:
    server = make_server()
    times = 4
    async with admin_of(server) as admin:
        eve = await admin.somebody_else()
        for _ in range(times):
            assert (await eve.call("GET", "/v1/audit/head")).status == 403
    server.stop()
    server.start()
    async with admin_of(server) as admin:
        found = (await admin.get("/v1/audit/events?kind=access.denied"))["events"]
    assert sum(each["payload"]["count"] for each in found) == times


@pytest.mark.requirement("60")
def test_verbs_when_walked_then_each_that_writes_in_a_unit_appends_an_event() -> None:
    """A verb of identity takes a `Unit`; it appends to it, or hands it to one that does."""
    verbs: dict[str, ast.AsyncFunctionDef | ast.FunctionDef] = {}
    for path in ROOM.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef) and any(
                each.annotation is not None and ast.unparse(each.annotation) == "Unit"
                for each in node.args.args
            ):
                verbs[node.name] = node
    silent = set(verbs)
    while appending := {name for name in silent if _appends(verbs[name], set(verbs) - silent)}:
        silent -= appending
    public = {name for name in silent if not name.startswith("_")}
    assert public == {"blank"}, "which is told of an erasure, and that is the event"
    assert len(verbs) > 15


def _appends(verb: ast.AsyncFunctionDef | ast.FunctionDef, others: set[str]) -> bool:
    calls = [node.func for node in ast.walk(verb) if isinstance(node, ast.Call)]
    names = {
        each.attr if isinstance(each, ast.Attribute) else getattr(each, "id", "") for each in calls
    }
    return "append" in names or bool(names & others)
