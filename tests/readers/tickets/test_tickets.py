"""Stream tickets: one stream, once, for the page that asked, as long as the credential lasts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from homeport.identity import tickets as tickets_module
from homeport.identity.access import Caller
from homeport.identity.access_tokens import AccessTokens
from homeport.identity.authenticator import Authenticator
from homeport.identity.errors import CredentialRefused, TicketRefused
from homeport.identity.models import ApiKey, StreamTicket, User
from homeport.identity.opaque import hashed
from homeport.identity.roles import permissions_of
from homeport.identity.tickets import LIFETIME, StreamTickets, remove_expired
from homeport.kernel import clock
from homeport.kernel.db import Database
from homeport.kernel.ids import new_id
from readers.api import Api, admin_of
from support.server import Server
from support.sockets import refusal, socket, told, until
from support.sse import heard

PAGE = "https://page.example"


class NoTokens(AccessTokens):
    """There are none here: the caller holds a key."""

    def __init__(self) -> None:
        pass


@pytest.fixture
async def other(database_url: str) -> AsyncIterator[Database]:
    """Another node's way to the same database."""
    opened = Database(database_url)
    yield opened
    await opened.close()


async def somebody(database: Database) -> Caller:
    """An account with a key."""
    now, user_id, key_id = clock.utc_now(), new_id(), new_id()
    async with database.write() as session:
        user = User(
            id=user_id,
            email=f"{user_id}@example.org",
            email_key=f"{user_id}@example.org",
            username=user_id,
            username_key=user_id,
            roles=["user"],
            preferences={},
            is_active=True,
            created_at=now,
            updated_at=now,
        )
        session.add(user)
        await session.flush()
        session.add(
            ApiKey(
                id=key_id,
                user_id=user_id,
                name="test",
                prefix="ck_",
                secret_hash=hashed(key_id),
                scopes=None,
                created_at=now,
            )
        )
    return Caller(
        user_id=user_id,
        username=user_id,
        roles=frozenset({"user"}),
        permissions=permissions_of(["user"]),
        api_key_id=key_id,
    )


def desk_of(database: Database) -> StreamTickets:
    return StreamTickets(database, Authenticator(database, NoTokens()))


@pytest.mark.requirement("F24")
async def test_ticket_when_many_show_it_at_once_on_two_nodes_then_one_is_let_in(
    database: Database, other: Database
) -> None:
    caller = await somebody(database)
    nodes = [desk_of(database), desk_of(other)]
    for round_number in range(5):
        ticket = await nodes[round_number % 2].issue(caller, session_id=None, origin=None)
        attempts = [
            nodes[number % 2].redeem(ticket.text, session_id=None, origin=PAGE)
            for number in range(40)
        ]
        results = await asyncio.gather(*attempts, return_exceptions=True)
        assert [each for each in results if isinstance(each, Caller)] == [caller]
        refused = [each for each in results if isinstance(each, TicketRefused)]
        assert len(refused) == len(attempts) - 1


async def test_ticket_when_it_is_too_old_then_it_is_refused_and_swept_away(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert timedelta(seconds=30) == LIFETIME
    caller, desk = await somebody(database), desk_of(database)
    fresh = await desk.issue(caller, session_id=None, origin=None)
    monkeypatch.setattr(tickets_module, "LIFETIME", timedelta(seconds=-1))
    old = await desk.issue(caller, session_id=None, origin=None)
    with pytest.raises(TicketRefused):
        await desk.redeem(old.text, session_id=None, origin=None)
    async with database.write() as session:
        await remove_expired(session)
        assert await session.scalar(select(func.count()).select_from(StreamTicket)) == 1
    assert await desk.redeem(fresh.text, session_id=None, origin=None) == caller


async def test_ticket_when_it_is_for_something_else_then_it_is_refused_and_not_spent(
    database: Database,
) -> None:
    caller, desk = await somebody(database), desk_of(database)
    mine, another = new_id(), new_id()
    for made_for, shown_for in ((mine, another), (mine, None), (None, mine)):
        ticket = await desk.issue(caller, session_id=made_for, origin=PAGE)
        for origin in ("https://other.example", "null"):
            with pytest.raises(TicketRefused):
                await desk.redeem(ticket.text, session_id=made_for, origin=origin)
        with pytest.raises(TicketRefused):
            await desk.redeem(ticket.text, session_id=shown_for, origin=PAGE)
        assert await desk.redeem(ticket.text, session_id=made_for, origin=PAGE) == caller


async def test_ticket_when_its_maker_is_refused_meanwhile_then_it_proves_nobody(
    database: Database,
) -> None:
    caller, desk = await somebody(database), desk_of(database)
    ticket = await desk.issue(caller, session_id=None, origin=None)
    async with database.write() as session:
        key = await session.get_one(ApiKey, caller.api_key_id)
        key.revoked_at = clock.utc_now()
    with pytest.raises(CredentialRefused):
        await desk.redeem(ticket.text, session_id=None, origin=None)
    with pytest.raises(TicketRefused):
        await desk.redeem(ticket.text, session_id=None, origin=None)


@pytest.mark.requirement("23")
async def test_ticket_when_stored_then_only_its_hash_is(database: Database) -> None:
    ticket = await desk_of(database).issue(await somebody(database), session_id=None, origin=None)
    async with database.read() as session:
        row = await session.scalar(select(StreamTicket))
    assert row is not None
    assert row.token_hash == hashed(ticket.text)
    assert ticket.text not in str(vars(row))


@pytest.mark.parametrize("text", ["", "hpt_", "hpt_" + "x" * 42, "hpt_" + "\u00e9" * 43, "ck_x"])
async def test_ticket_when_it_has_not_the_form_of_one_then_the_database_is_not_asked(
    text: str,
) -> None:
    nowhere = Database("sqlite:////nonexistent/nowhere.db")
    with pytest.raises(TicketRefused):
        await desk_of(nowhere).redeem(text, session_id=None, origin=None)


@pytest.fixture
async def admin(server: Server) -> AsyncIterator[Api]:
    async with admin_of(server) as opened:
        yield opened


@pytest.mark.requirement("24")
async def test_ticket_when_shown_by_a_page_then_it_opens_one_stream_once(
    server: Server, admin: Api
) -> None:
    session_id = await admin.session()
    for place in (f"/v1/sessions/{session_id}/ws?after=0&", "/v1/ws?", "/ws?"):
        made_for = session_id if session_id in place else None
        ticket = await admin.ticket(made_for, Origin=server.base_url)
        path = f"{place}ticket={ticket}"
        async with socket(server.base_url, path, origin=server.base_url) as connection:
            if made_for:
                await until(told(connection), kind="session.created")
        refused = await refusal(server.base_url, path, origin=server.base_url)
        assert (refused.status, refused.code) == (401, "auth.ticket-refused")


@pytest.mark.requirement("24")
async def test_ticket_when_shown_with_an_event_source_then_it_opens_it_once(
    server: Server, admin: Api
) -> None:
    session_id = await admin.session()
    made = await admin.call("POST", "/v1/stream-tickets", {"session_id": session_id})
    assert made.status == 201
    assert made.json.keys() == {"ticket", "expires_at"}
    url = f"{server.base_url}/v1/sessions/{session_id}/stream?after=0&ticket={made.json['ticket']}"
    async with admin.http.get(url) as response:
        assert response.status == 200
        async for event in heard(response):
            if event.event == "session.created":
                break
    async with admin.http.get(url) as response:
        assert response.status == 401
        assert (await response.json())["error"]["code"] == "auth.ticket-refused"


@pytest.mark.requirement("32")
async def test_ticket_when_a_websocket_names_no_page_then_it_is_refused(
    server: Server, admin: Api
) -> None:
    ticket = await admin.ticket()
    refused = await refusal(server.base_url, f"/v1/ws?ticket={ticket}")
    assert (refused.status, refused.code) == (403, "auth.origin-missing")
    refused = await refusal(
        server.base_url, f"/v1/ws?ticket={ticket}", origin="http://evil.example"
    )
    assert (refused.status, refused.code) == (403, "request.origin-refused")
    refused = await refusal(
        server.base_url, f"/v1/ws?ticket={ticket}", admin.headers, origin=server.base_url
    )
    assert (refused.status, refused.code) == (401, "auth.ambiguous-credential")


@pytest.mark.requirement("26")
async def test_ticket_when_the_session_is_somebody_elses_then_there_is_none(admin: Api) -> None:
    session_id = await admin.session()
    eve = await admin.somebody_else()
    answer = await eve.call("POST", "/v1/stream-tickets", {"session_id": session_id})
    assert (answer.status, answer.code) == (404, "session.not-found")
    answer = await Api(eve.http, eve.base_url).call("POST", "/v1/stream-tickets", {})
    assert answer.status == 401


async def test_ticket_when_a_reading_key_asks_then_it_gets_one_that_only_reads(
    server: Server, admin: Api
) -> None:
    reader = await admin.with_key(scopes=["api:read"])
    ticket = await reader.ticket()
    path = f"/v1/ws?ticket={ticket}"
    async with socket(server.base_url, path, origin=server.base_url) as connection:
        await connection.send('{"type":"run.stop","id":"1","run_id":"r"}')
        answer = await anext(told(connection))
        assert (answer["status"], answer["error"]["code"]) == (403, "auth.scope-required")


@pytest.mark.requirement("22")
async def test_stream_when_the_key_behind_its_ticket_is_revoked_then_it_ends(
    server: Server, admin: Api
) -> None:
    person = await admin.somebody_else()
    holder = await person.with_key()
    session_id = await person.session()
    path = f"/v1/sessions/{session_id}/ws?ticket={await holder.ticket(session_id)}"
    async with socket(server.base_url, path, origin=server.base_url) as connection:
        await person.revoke_key()
        async with asyncio.timeout(30):
            last = [each async for each in told(connection)][-1]
        assert last["kind"] == "stream.ended"
        assert connection.close_code == 1008


@pytest.mark.requirement("23", "24")
async def test_ticket_when_used_or_not_then_neither_the_disk_nor_the_log_has_it(
    server: Server, admin: Api
) -> None:
    session_id = await admin.session()
    used, unused = await admin.ticket(session_id), await admin.ticket(session_id)
    path = f"/v1/sessions/{session_id}/stream?ticket={used}"
    async with admin.http.get(server.base_url + path) as response:
        assert response.status == 200
    async with admin.http.get(server.base_url + path) as response:
        assert response.status == 401
        assert used not in await response.text()
    for secret in (used, unused):
        needle = secret.removeprefix("hpt_").encode()
        for file in files_below(server.data_dir):
            assert needle not in file.read_bytes(), file
        assert needle.decode() not in server.log()


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
