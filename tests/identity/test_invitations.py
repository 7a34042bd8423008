"""Invitations: one account each, for whom and until when the inviter said, and no more than they."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Literal

import orjson
import pytest
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import select

from homeport.eventlog import EventLog
from homeport.eventlog.read import records_after
from homeport.identity.invitations.models import Invitation
from homeport.identity.models import User
from homeport.identity.opaque import hashed
from homeport.identity.opening import IdentityOptions, open_identity
from homeport.identity.roles import ROLES
from homeport.identity.service.accounts import set_roles
from homeport.kernel.crypto import KeyRing
from homeport.kernel.ids import new_id
from identity.conftest import Shift
from identity.door import PASSWORD, Door, Person, open_door
from support.answer import Answer

INVITATIONS = "/v1/auth/invitations"
on_sqlite = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
"""What says the same on both databases; the race is run on both."""


@asynccontextmanager
async def opened(
    log: EventLog, keyring: KeyRing, mode: Literal["open", "invite", "closed"]
) -> AsyncGenerator[Door]:
    """Another door of the same installation, with this REGISTRATION."""
    identity = await open_identity(log, keyring, IdentityOptions(registration=mode))
    identity.passwords._argon2 = Argon2Hasher(time_cost=1, memory_cost=64)  # pyright: ignore[reportPrivateUsage]
    async with open_door(log, identity) as made:
        yield made
    await identity.close()


@pytest.fixture
async def guarded(door: Door, log: EventLog, keyring: KeyRing) -> AsyncIterator[Door]:
    """A server that takes invited people only."""
    del door  # only so that there is a signing key
    async with opened(log, keyring, "invite") as made:
        yield made


@pytest.fixture
async def admin(door: Door) -> Person:
    person = await door.register("admin")
    await give(door, person, "admin")
    return person


async def give(door: Door, person: Person, *names: str) -> None:
    async with door.log.unit(f"account:{person.id}", "system") as unit:
        await set_roles(unit, user_id=person.id, roles=names, actor="operator")
    door.identity.callers.forget_user(person.id)


async def invite(door: Door, admin: Person, **body: Any) -> Any:
    answer = await door.call("POST", INVITATIONS, token=admin.access, json=body)
    assert answer.status == 201, answer.body
    return answer.json


async def register(door: Door, name: str, code: str | None) -> Answer:
    body = {"email": f"{name}@example.com", "username": name, "password": PASSWORD}
    given = {} if code is None else {"invitation_code": code}
    return await door.call("POST", "/v1/auth/register", json={**body, **given})


async def facts(door: Door) -> list[tuple[str, str, Any]]:
    """(kind, actor, payload) of what the log says about invitations."""
    async with door.log.database.read() as session:
        records = await records_after(session, "system", 0, limit=1_000)
    return [
        (each.kind, each.actor, orjson.loads(each.payload))
        for each in records
        if each.kind.startswith("invitation.")
    ]


@on_sqlite
async def test_register_when_invited_then_the_account_has_the_role_that_was_chosen(
    guarded: Door, admin: Person
) -> None:
    for role in (None, *ROLES):
        made = await invite(guarded, admin, **({} if role is None else {"role": role}))
        answer = await register(guarded, f"new-{role}", made["invitation_code"])
        assert (answer.status, answer.json["user"]["roles"]) == (201, [role or "user"])
        assert (await guarded.me(answer.json["access_token"])).status == 200
        created, used = (await facts(guarded))[-2:]
        assert created[:2] == ("invitation.created", f"user:{admin.id}")
        assert used[:2] == ("invitation.used", f"user:{answer.json['user']['id']}")
        assert used[2]["user_id"] == answer.json["user"]["id"]
        again = await register(guarded, "eve", made["invitation_code"])
        assert (again.status, again.code) == (403, "auth.invitation-refused")
        assert (await facts(guarded))[-1][2]["reason"] == "used"


async def test_register_when_fifty_come_with_one_invitation_then_there_is_one_account(
    guarded: Door, admin: Person
) -> None:
    code = (await invite(guarded, admin))["invitation_code"]
    answers = await asyncio.gather(*(register(guarded, f"ada{n}", code) for n in range(50)))
    statuses = Counter(answer.status for answer in answers)
    assert statuses[201] == 1
    assert statuses[403] > 0
    assert statuses.keys() <= {201, 403, 503}  # 503: as many passwords wait as may
    async with guarded.log.database.read() as session:
        assert len((await session.scalars(select(User))).all()) == 2
    kinds = Counter(kind for kind, _, _ in await facts(guarded))
    assert (kinds["invitation.used"], kinds["invitation.refused"]) == (1, statuses[403])


@on_sqlite
async def test_register_when_the_account_is_refused_then_the_invitation_stays_good(
    guarded: Door, admin: Person
) -> None:
    code = (await invite(guarded, admin))["invitation_code"]
    assert (await register(guarded, "admin", code)).code == "account.email-taken"
    body = {"email": "ada@example.com", "password": "password1", "invitation_code": code}
    weak = await guarded.call("POST", "/v1/auth/register", json=body)
    assert weak.code == "password.weak"
    assert (await register(guarded, "ada", code)).status == 201


@on_sqlite
@pytest.mark.parametrize("mode", ["open", "invite", "closed"])
async def test_register_when_the_server_is_open_or_closed_then_the_code_counts_as_it_says(
    door: Door, log: EventLog, keyring: KeyRing, admin: Person, mode: Any
) -> None:
    made = await invite(door, admin, role="analyst")
    async with opened(log, keyring, mode) as server:
        without = await register(server, "bob", None)
        wrong = await register(server, "eve", f"hpi_{new_id()}")
        right = await register(server, "ada", made["invitation_code"])
        another = await server.call("POST", INVITATIONS, token=admin.access, json={})
    if mode == "closed":
        for answer in (without, wrong, right, another):
            assert (answer.status, answer.code) == (403, "auth.registration-closed")
        return
    assert without.status == 201 if mode == "open" else without.code == "auth.invitation-required"
    assert wrong.code == "auth.invitation-refused"
    assert right.json["user"]["roles"] == ["analyst"]
    assert another.status == 201


@on_sqlite
async def test_invitation_when_made_then_its_code_is_shown_once_and_its_digest_kept(
    guarded: Door, admin: Person
) -> None:
    made = await invite(guarded, admin, note="for Ada", email="ada@example.com")
    code = made.pop("invitation_code")
    listed = (await guarded.call("GET", INVITATIONS, token=admin.access)).json
    assert (listed["invitations"], listed["total"]) == ([made], 1)
    assert made["invited_by"] == admin.id
    async with guarded.log.database.read() as session:
        row = (await session.scalars(select(Invitation))).one()
    assert row.code_hash == hashed(code)
    assert row.expires_at - row.created_at == timedelta(days=7)
    assert (await register(guarded, "ada", code)).status == 201
    assert (await guarded.call("GET", INVITATIONS, token=admin.access)).json["total"] == 0
    async with guarded.log.database.read() as session:
        row = (await session.scalars(select(Invitation))).one()
    assert (row.email, row.note) == (None, None)  # it says of nobody that they were invited


@on_sqlite
async def test_invitation_when_it_does_not_hold_then_refused_and_noted(
    guarded: Door, admin: Person, shift_clock: Shift
) -> None:
    bound = (await invite(guarded, admin, email="Ada@example.com"))["invitation_code"]
    revoked = await invite(guarded, admin)
    place = f"{INVITATIONS}/{revoked['id']}"
    for status in (204, 404):
        assert (await guarded.call("DELETE", place, token=admin.access)).status == status
    short = (await invite(guarded, admin, expires_in=60))["invitation_code"]
    for code, reason in ((bound, "address"), (revoked["invitation_code"], "revoked")):
        refused = await register(guarded, "eve", code)
        assert (refused.status, refused.code) == (403, "auth.invitation-refused"), reason
        assert (await facts(guarded))[-1][2]["reason"] == reason
    shift_clock(timedelta(seconds=61))
    assert (await register(guarded, "eve", short)).code == "auth.invitation-refused"
    assert (await facts(guarded))[-1][2]["reason"] == "expired"
    assert (await register(guarded, "ADA", bound)).status == 201
    await guarded.identity.upkeep()
    shift_clock(timedelta(days=31))
    await guarded.identity.upkeep()
    assert (await facts(guarded))[-1][0] == "invitation.used"
    assert (await register(guarded, "eve", short)).code == "auth.invitation-refused"
    assert (await facts(guarded))[-1][0] == "invitation.used"  # forgotten: a code like any other


@on_sqlite
@pytest.mark.parametrize("loss", ["disabled", "demoted", "deleted"])
async def test_invitation_when_the_inviter_may_not_any_more_then_it_never_lets_anybody_in(
    guarded: Door, door: Door, admin: Person, loss: str
) -> None:
    eve = await door.register("eve")
    await give(door, eve, "admin")
    code = (await invite(guarded, eve, role="admin"))["invitation_code"]
    path = f"/v1/auth/users/{eve.id}"
    change = {"demoted": {"roles": ["user"]}, "disabled": {"is_active": False}}.get(loss)
    method = "DELETE" if change is None else "PATCH"
    lost = await door.call(method, path, token=admin.access, json=change)
    assert lost.status == 200, lost.body
    assert (await facts(guarded))[-1][0] == "invitation.revoked"
    assert (await door.call("GET", INVITATIONS, token=admin.access)).json["total"] == 0
    assert (await register(guarded, "mallory", code)).code == "auth.invitation-refused"
    back = {"roles": ["admin"], "is_active": True}
    assert (await door.call("PATCH", path, token=admin.access, json=back)).status == 200
    assert (await register(guarded, "mallory", code)).code == "auth.invitation-refused"
    assert (await facts(guarded))[-1][2]["reason"] == "revoked"


@on_sqlite
@pytest.mark.requirement("25")
async def test_invitation_when_asked_for_by_others_then_no_role_comes_of_it(
    guarded: Door, door: Door, admin: Person
) -> None:
    moderator = await door.register("maud")
    await give(door, moderator, "moderator")
    refused = await guarded.call("POST", INVITATIONS, token=moderator.access, json={})
    assert (refused.status, refused.code) == (403, "auth.role-required")
    assert (await guarded.call("GET", INVITATIONS, token=moderator.access)).status == 200
    scopes = ["api:read", "api:write", "account:manage", "users:manage"]
    made = await guarded.call(
        "POST", "/v1/auth/api-keys", token=admin.access, json={"name": "k", "scopes": scopes}
    )
    key = made.json["api_key"]
    wider = await guarded.call("POST", INVITATIONS, token=key, json={"role": "admin"})
    assert (wider.status, wider.code) == (403, "auth.scope-required")
    assert (await guarded.call("POST", INVITATIONS, token=key, json={})).status == 201
    bodies = ({"role": "king"}, {"expires_in": 59}, {"expires_in": 2_592_001}, {"email": "x"})
    for body in bodies:
        answer = await guarded.call("POST", INVITATIONS, token=admin.access, json=body)
        assert answer.status == 422, body


@on_sqlite
@pytest.mark.requirement("5")
async def test_code_when_it_never_was_one_then_it_counts_as_a_guess_of_its_address(
    guarded: Door, admin: Person
) -> None:
    del admin
    codes = [f"hpi_{new_id()}" for _ in range(11)]
    statuses = [(await register(guarded, "eve", code)).status for code in codes]
    assert statuses == [403] * 10 + [429]
