"""Names of accounts: none is made to be taken for somebody else's."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from homeport.identity.names import has_one_script, username_from
from homeport.kernel.db import Database
from homeport.migrations import downgrade, upgrade
from identity.door import PASSWORD, Door

ON_SQLITE = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
INSERT = """
    INSERT INTO users (id, email, email_key, username, username_key, roles, preferences, is_active,
                       created_at, updated_at)
    VALUES (:id, :id, :id, :name, :name, '[]', '{}', TRUE, '2026-01-01', '2026-01-01')
"""

IMITATIONS = (
    "\u0430dmin",  # Cyrillic a
    "adm\u0456n",  # Ukrainian i
    "\u0391dmin",  # Greek Alpha
    "admin\u043e7",
    "\u13aadmin",  # Cherokee A
)
HONEST = (
    "admin",
    "J\u00fcrgen_9",
    "\u043e\u043b\u044c\u0433\u0430",  # Cyrillic throughout
    "\u03bd\u03af\u03ba\u03bf\u03c2",
    "\u5c71\u7530\u305f\u308d\u3046.x",  # Han, Hiragana and Latin
    "\ud64d\uae38\ub3d9-hong",
    "\u0645\u062d\u0645\u062f",
    "\uff41\uff44\uff41",  # full width is Latin
    "12",
)


async def test_register_when_a_name_mixes_scripts_then_refused(door: Door) -> None:
    ada = await door.register("ada")
    for name in IMITATIONS:
        body = {"email": "eve@example.com", "username": name, "password": PASSWORD}
        refused = await door.call("POST", "/v1/auth/register", json=body)
        assert refused.status == 422, name
        assert "of one script" in refused.json["error"]["message"]
        renamed = await door.call("PUT", "/v1/auth/me", token=ada.access, json={"username": name})
        assert renamed.status == 422


TWINS = (
    ("cocoa", "\u0441\u043e\u0441\u043e\u0430"),  # wholly Cyrillic
    ("Cocoa_7", "\u0421\u041e\u0421\u041e\u0410_7"),  # in capitals
    ("kate", "\u03ba\u03b1\u03c4\u03b5"),  # wholly Greek
    ("\u03ba\u03b1\u03c4\u03b5", "\u043a\u0430\u0442\u0435"),  # and neither is Latin
    ("\u0430\u0441\u0451", "ac\u00eb"),  # the Cyrillic one was first
    ("admin", "adm\u0131n"),  # a dotless i is Latin
)
APART = (
    ("anna", "\u0430\u043d\u043d\u0430"),
    ("olga", "\u043e\u043b\u044c\u0433\u0430"),
    ("lia", "1ia"),
)
"""Names that only sound the same, or that a careful reader tells apart."""


@ON_SQLITE
async def test_register_when_a_name_looks_like_another_then_it_is_taken(door: Door) -> None:
    for number, (first, second) in enumerate(TWINS):
        await door.call("POST", "/v1/auth/register", json=account(f"a{number}", first))
        for name in (second, first.upper()):
            taken = await door.call("POST", "/v1/auth/register", json=account("eve", name))
            assert (taken.status, taken.code) == (409, "account.username-taken"), name
    bob = await door.register("bob")
    renamed = await door.call(
        "PUT", "/v1/auth/me", token=bob.access, json={"username": "\u0441\u043e\u0441\u043e\u0430"}
    )
    assert (renamed.status, renamed.code) == (409, "account.username-taken")
    # A name that is written in its own letters is a name like any other.
    for number, (first, second) in enumerate(APART):
        for name in (first, second):
            body = account(f"{name}{number}".encode().hex(), name)
            made = await door.call("POST", "/v1/auth/register", json=body)
            assert (made.status, made.json["user"]["username"]) == (201, name)
        assert (await door.login(second)).json["user"]["username"] == second


def account(local: str, username: str) -> dict[str, str]:
    return {"email": f"{local}@example.com", "username": username, "password": PASSWORD}


async def test_migration_when_names_look_alike_then_the_first_keeps_its_key(
    database: Database,
) -> None:
    names = {"ada": "ada", "twin": "\u0430d\u0430", "olga": "\u043e\u043b\u044c\u0433\u0430"}
    await downgrade(database, "0020_invitations")
    async with database.write() as session:
        for local, name in names.items():
            await session.execute(text(INSERT), {"id": local, "name": name})
    await upgrade(database)
    async with database.read() as session:
        rows = await session.execute(text("SELECT id, username_key FROM users"))
        keys = {row.id: row.username_key for row in rows}
    assert keys == {"ada": "ada", "twin": names["twin"], "olga": "o\u043b\u044c\u0433a"}
    await downgrade(database, "0020_invitations")
    async with database.read() as session:
        rows = await session.execute(text("SELECT id, username_key FROM users"))
        assert {row.id: row.username_key for row in rows} == names


@pytest.mark.parametrize("name", HONEST)
def test_name_when_its_script_is_one_languages_then_taken(name: str) -> None:
    assert has_one_script(name)


@pytest.mark.parametrize("name", IMITATIONS)
def test_name_when_made_of_an_address_then_it_imitates_nobody(name: str) -> None:
    assert username_from(f"{name}@example.com") == "user"
