"""A refusal is an event on the account: one, however often it was; and so is every verb."""

from __future__ import annotations

import ast
import asyncio
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from starlette.types import Scope

import homeport.app
import homeport.identity
from homeport.eventlog import EventLog, read
from homeport.identity import denials
from homeport.identity.denials import ELSEWHERE, Denials
from homeport.identity.errors import EmailTaken, RoleRequired, WrongPassword
from homeport.identity.models import User
from homeport.identity.opening import Identity
from homeport.identity.service.erase import GONE
from homeport.identity.whose import WHOSE, Owner
from homeport.kernel import clock
from homeport.kernel.errors import Forbidden, HomeportError, Unauthenticated
from homeport.kernel.http.errors import error_document
from homeport.kernel.http.provide import Services
from homeport.kernel.http.refusals import Refusals
from identity.door import Door
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


def of(user_id: str, **members: Any) -> Scope:
    """A request of somebody who is known."""
    owner = Owner(user_id, proven=True)
    return {"type": "http", "method": "GET", WHOSE: owner, **members}


async def facts(log: EventLog, user_id: str) -> list[dict[str, Any]]:
    """What the trail of an account tells of refusals."""
    async with log.database.read() as session:
        records = await read.records_after(session, f"account:{user_id}", 0, limit=1_000)
    return [orjson.loads(each.payload) for each in records if each.kind == "access.denied"]


@pytest.mark.requirement("60")
async def test_refusals_when_there_are_many_then_one_event_a_minute_counts_them(
    log: EventLog, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_000.0
    monkeypatch.setattr(clock, "monotonic", lambda: now)
    monkeypatch.setattr(denials, "MOST", 1)
    noted = Denials(log, identity.tokens)

    async def counts() -> list[int]:
        await noted.write()
        return [each["count"] for each in await facts(log, "eve")]

    for _ in range(3):
        noted.note(RoleRequired(needs="users:read"), of("eve"))
        noted.note(RoleRequired(needs="users:read"), of("mallory"))  # beyond the most
    assert await counts() == [3]
    for _ in range(2):
        noted.note(RoleRequired(needs="users:read"), of("eve"))
    assert await counts() == [3]
    now += 61
    assert await counts() == [3, 2]
    noted.note(RoleRequired(needs="users:read"), of("eve"))
    assert await counts() == [3, 2]
    await noted.close()  # whatever was written a moment ago: the process ends
    assert await counts() == [3, 2, 1]
    assert await facts(log, "mallory") == []


@pytest.mark.requirement("60")
async def test_refusals_when_they_differ_then_an_account_has_so_many_events_and_all_are_counted(
    log: EventLog, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_000.0
    monkeypatch.setattr(clock, "monotonic", lambda: now)
    noted = Denials(log, identity.tokens)

    async def refuse(times: int, *, network: int) -> list[dict[str, Any]]:
        for number in range(times):
            client = (f"10.{network}.{number // 250}.{number % 250}", 1)
            noted.note(WrongPassword(), of("eve", client=client))
        noted.note(WrongPassword(), of("ada"))
        await noted.write()
        return await facts(log, "eve")

    told = await refuse(500, network=1)
    assert len(told) == denials.MOST_EACH + 1
    assert [(each["route"], each["code"], each["count"]) for each in told[-1:]] == [("*", "*", 480)]
    assert len({each["address"] for each in told[:-1]}) == denials.MOST_EACH
    assert len(await refuse(300, network=2)) == len(told)  # in the same minute: nothing more
    assert len(await facts(log, "ada")) == 1  # nor anything less for others
    now += 61
    told = await refuse(0, network=3)
    assert sum(each["count"] for each in told) == 500 + 300
    assert len(told) == denials.MOST_EACH + 2


@pytest.mark.requirement("60")
@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
async def test_refusal_when_of_any_kind_then_it_is_an_event_or_declared_to_be_none(
    log: EventLog, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(denials, "MOST_EACH", 1_000)
    noted = Denials(log, identity.tokens)
    services = Services({Refusals: noted})
    app = SimpleNamespace(state=SimpleNamespace(services=services))
    kinds = {kind for root in (Unauthenticated, Forbidden) for kind in family(root)}
    for kind in kinds:
        error_document(kind(), of("eve", app=app, path="/"))
    error_document(EmailTaken(), of("eve", app=app, path="/"))  # an answer, and no refusal
    await noted.write()
    told = {each["code"] for each in await facts(log, "eve")}
    assert told == {kind.code for kind in kinds - ELSEWHERE.keys()}
    assert kinds >= ELSEWHERE.keys()
    assert len(told) >= 20
    assert all(ELSEWHERE.values())


def family(kind: type[HomeportError]) -> set[type[HomeportError]]:
    """`kind` and all below it that the program knows."""
    assert homeport.app.create_app  # every room is imported with it
    below = {each for child in kind.__subclasses__() for each in family(child)}
    return {each for each in below | {kind} if each.__module__.startswith("homeport.")}


@pytest.mark.requirement("61")
@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
async def test_refusal_when_the_account_is_erased_meanwhile_then_nothing_is_written(
    door: Door,
) -> None:
    ada = await door.register("ada")
    noted = door.identity.denials
    noted.note(WrongPassword(), of(ada.id))
    async with door.log.unit(f"account:{ada.id}") as unit:
        user = await unit.session.get_one(User, ada.id)
        user.email_key = f"{GONE}:{ada.id}"
    await noted.write()
    assert await facts(door.log, ada.id) == []
    await noted.close()


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
    verbs: dict[Place, ast.AsyncFunctionDef | ast.FunctionDef] = {}
    for path in ROOM.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef) and any(
                each.annotation is not None and ast.unparse(each.annotation) == "Unit"
                for each in node.args.args
            ):
                verbs[path, node.name] = node
    telling: set[Place] = set()
    while more := {each for each in verbs.keys() - telling if _tells(each, verbs, telling)}:
        telling |= more
    public = {name for _, name in verbs.keys() - telling if not name.startswith("_")}
    assert public == {"blank"}, "which is told of an erasure, and that is the event"
    assert len(verbs) > 15


Place = tuple[Path, str]


def _tells(
    place: Place, verbs: Mapping[Place, ast.AsyncFunctionDef | ast.FunctionDef], others: set[Place]
) -> bool:
    """Whether it appends, or calls one of `others`: of its own module, else of any."""
    calls = [node.func for node in ast.walk(verbs[place]) if isinstance(node, ast.Call)]
    names = {
        each.attr if isinstance(each, ast.Attribute) else getattr(each, "id", "") for each in calls
    }
    own = {name for name in names if (place[0], name) in verbs}
    return (
        "append" in names
        or any((place[0], name) in others for name in own)
        or any(name in names - own for _, name in others)
    )
