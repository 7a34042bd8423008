"""Guessing: how many wrong passwords are looked at, whoever sends them, however many at once."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import func, select, update

from homeport.eventlog import EventLog
from homeport.identity.errors import AccountLocked, PasswordsBusy, TooManyGuesses
from homeport.identity.guard import Guard, GuardPolicy, unlock
from homeport.identity.models import Guesses
from homeport.identity.opening import IdentityOptions, open_identity
from homeport.identity.service.passwords import set_password
from homeport.identity.service.signing_keys import store_key
from homeport.kernel import clock
from homeport.kernel.crypto import KeyRing
from homeport.kernel.db import Database
from homeport.kernel.ids import new_id
from identity.door import PASSWORD, Door, Person, open_door
from support.answer import Answer

WRONG = "seven-quiet-lanterns-drift"
AT_ONCE = GuardPolicy(delay=timedelta(), per_minute=0)
"""No waiting between guesses, so that a test may send them in a row."""
OPENAPI = Path(__file__).parents[2] / "docs" / "openapi.json"
SECRET_MEMBER = re.compile(r"(^|_)(password|passcode|code|otp|pin)$")


@pytest.fixture
async def door(log: EventLog, keyring: KeyRing, rsa_key: RSAPrivateKey) -> AsyncIterator[Door]:
    """As everywhere, with a cheap Argon2id and without the waits between guesses."""
    async with log.unit("system") as unit:
        store_key(unit, keyring, rsa_key, state="active", signs_from=clock.utc_now())
    identity = await open_identity(log, keyring, IdentityOptions(guessing=AT_ONCE))
    identity.passwords._argon2 = Argon2Hasher(time_cost=1, memory_cost=64)  # pyright: ignore[reportPrivateUsage]
    identity.passwords._absent_hash = None  # pyright: ignore[reportPrivateUsage]
    async with open_door(log, identity) as opened:
        yield opened
    await identity.close()


def watch(door: Door, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hashes that are verified from now on, one entry each time."""
    verified: list[str] = []
    matches = door.identity.passwords._matches  # pyright: ignore[reportPrivateUsage] - watched, not replaced

    def watched(password: str, stored: str) -> bool:
        verified.append(stored)
        return matches(password, stored)

    monkeypatch.setattr(door.identity.passwords, "_matches", watched)
    return verified


async def wait_over(log: EventLog) -> None:
    """As if all waits and locks had passed."""
    async with log.database.write() as session:
        await session.execute(update(Guesses).values(not_before_ms=0, window_ms=0))


@pytest.mark.requirement("5")
async def test_login_when_1000_guess_at_once_from_50_addresses_then_10_are_looked_at(
    door: Door, dialect: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await door.register("ada")
    verified = watch(door, monkeypatch)
    guesses = 1_000 if dialect == "sqlite" else 200
    clients = [
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(local_addr=(f"127.0.0.{number}", 0)))
        for number in range(2, 52)
    ]

    async def guess(client: aiohttp.ClientSession, number: int) -> int:
        body = {"username": "ada", "password": f"{WRONG}-{number}"}
        async with client.post(f"{door.base_url}/v1/auth/login", json=body) as answer:
            await answer.read()
            return answer.status

    try:
        statuses = Counter(
            await asyncio.gather(
                *(guess(clients[number % 50], number) for number in range(guesses))
            )
        )
    finally:
        for client in clients:
            await client.close()
    assert len(verified) == 10
    assert statuses[401] == 10
    assert statuses[423] == guesses - 10
    # The owner is shut out of guessing, and of nothing else.
    assert (await door.login("ada")).status == 423
    assert (await door.me(ada.access)).status == 200
    assert (await door.me(ada.api_key)).status == 200
    assert (await door.refresh(ada.refresh)).status == 200
    kinds = Counter(await door.kinds(ada.id))
    assert (kinds["login.failed"], kinds["login.locked"]) == (10, 1)


@pytest.mark.requirement("5")
async def test_admit_when_two_nodes_are_asked_at_once_then_they_share_the_count(
    database_url: str, keyring: KeyRing
) -> None:
    databases = [Database(database_url) for _ in range(2)]
    guards = [Guard(EventLog(database), keyring, AT_ONCE) for database in databases]
    user_id = new_id()

    async def admitted(number: int) -> bool:
        try:
            await guards[number % 2].admit(subject=user_id, address=f"192.0.2.{number}")
        except AccountLocked:
            return False
        return True

    try:
        assert sum(await asyncio.gather(*map(admitted, range(40)))) == 10
    finally:
        for database in databases:
            await database.close()


@pytest.mark.requirement("4")
@pytest.mark.requirement("5")
async def test_login_when_the_name_is_unknown_then_it_locks_like_one_that_is_known(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    await door.register("ada")
    verified = watch(door, monkeypatch)
    told: dict[str, list[tuple[int, set[str], Any]]] = {}
    for name in ("ada", "nobody"):
        told[name] = []
        for _ in range(13):
            answer = await door.login(name, password=WRONG)
            document = answer.json
            document.pop("request_id")
            assert ("locked_until" in document) is (answer.status == 423)
            document.pop("locked_until", None)
            told[name].append((answer.status, set(answer.headers), document))
    assert [status for status, _, _ in told["ada"]] == [401] * 10 + [423] * 3
    assert told["ada"] == told["nobody"]
    assert len(verified) == 20
    spelled = await door.login("  Nobody".strip().upper(), password=WRONG)
    assert spelled.status == 423  # any spelling of one name is one name


@pytest.mark.requirement("5")
async def test_login_when_locked_then_the_answer_says_until_when(door: Door) -> None:
    await door.register("ada")
    for _ in range(10):
        await door.login("ada", password=WRONG)
    answer = await door.login("ada")
    assert (answer.status, answer.code) == (423, "auth.locked")
    assert answer.headers["content-type"] == "application/problem+json"
    assert 890 <= int(answer.headers["retry-after"]) <= 900
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", answer.json["locked_until"])


async def guess_at_login(door: Door, person: Person) -> Answer:
    return await door.login(person.username, password=WRONG)


async def guess_by_email(door: Door, person: Person) -> Answer:
    return await door.login(person.email.upper(), password=WRONG)


async def guess_in_a_form(door: Door, person: Person) -> Answer:
    form = {"username": person.username, "password": WRONG}
    return await door.call("POST", "/v1/auth/login", form=form)


async def guess_at_change(door: Door, person: Person) -> Answer:
    return await door.call(
        "POST",
        "/v1/auth/change-password",
        token=person.access,
        json={"current_password": WRONG, "new_password": "nine-other-marbles-sing"},
    )


Guess = Callable[[Door, Person], Awaitable[Answer]]
CHECKING: dict[str, tuple[Guess, ...]] = {
    "POST /v1/auth/login": (guess_at_login, guess_by_email, guess_in_a_form),
    "POST /v1/auth/change-password": (guess_at_change,),
}
"""The operations that look at a password or code, with every way to guess there."""
SETTING = {"POST /v1/auth/register", "POST /setup"}
"""Those that take a new one and check none; an invitation's code carries 256 bits."""
CODES = {
    "POST /v1/auth/mfa/verify",
    "POST /v1/auth/mfa/step-up",
    "POST /v1/auth/mfa/totp/confirm",
    "POST /v1/auth/device/lookup",
    "POST /v1/auth/device/approve",
    "POST /v1/auth/device/token",  # 256 bits: nothing to guess, and polled
}
"""Those that look at a code of a second factor, which has a stricter count: factors/test_guessing."""


def secret_members(schema: Any, known: dict[str, Any]) -> set[str]:
    """The members of a schema, nested ones included, that hold a password or code."""
    if isinstance(schema, list):
        parts = cast("list[Any]", schema)
        return {name for part in parts for name in secret_members(part, known)}
    if not isinstance(schema, dict):
        return set()
    members = cast("dict[str, Any]", schema)
    if "$ref" in members:
        return secret_members(known[str(members["$ref"]).rpartition("/")[2]], known)
    names: dict[str, Any] = members.get("properties", {})
    found = {name for name in names if SECRET_MEMBER.search(name)}
    return found | {name for part in members.values() for name in secret_members(part, known)}


@pytest.mark.requirement("6")
def test_operation_when_it_takes_a_password_or_code_then_it_is_known_here() -> None:
    document = json.loads(OPENAPI.read_text(encoding="utf-8"))
    schemas = document["components"]["schemas"]
    found = {
        f"{method.upper()} {path}"
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if secret_members(operation.get("requestBody", {}), schemas)
    }
    assert found == CHECKING.keys() | SETTING | CODES, (
        "say in CHECKING how to guess there, or SETTING"
    )


@pytest.mark.requirement("6")
@pytest.mark.parametrize(
    "guess", [guess for ways in CHECKING.values() for guess in ways], ids=lambda way: way.__name__
)
@pytest.mark.requirement("CVE-34")
async def test_guess_when_it_is_the_eleventh_then_locked_by_whatever_way_it_comes(
    door: Door, guess: Guess
) -> None:
    ada = await door.register("ada")
    for _ in range(10):
        assert (await guess(door, ada)).status == 401
    for way in (way for ways in CHECKING.values() for way in ways):
        assert (await way(door, ada)).status == 423, way.__name__


@pytest.mark.requirement("6")
async def test_guess_when_the_ways_are_mixed_then_they_count_together(door: Door) -> None:
    ada = await door.register("ada")
    ways = [way for ways in CHECKING.values() for way in ways]
    for number in range(10):
        assert (await ways[number % len(ways)](door, ada)).status == 401
    assert (await door.login("ada")).status == 423


async def test_change_password_when_the_current_one_is_right_then_nothing_is_counted(
    door: Door,
) -> None:
    ada = await door.register("ada")
    for _ in range(12):  # right, and refused for another reason
        answer = await door.call(
            "POST",
            "/v1/auth/change-password",
            token=ada.access,
            json={"current_password": PASSWORD, "new_password": "password1"},
        )
        assert (answer.status, answer.code) == (422, "password.weak")
    assert (await door.login("ada")).status == 200


async def test_login_when_right_then_the_wrong_ones_before_it_are_forgotten(door: Door) -> None:
    await door.register("ada")
    for _ in range(3):
        for _ in range(9):
            assert (await door.login("ada", password=WRONG)).status == 401
        assert (await door.login("ada")).status == 200


async def test_login_when_the_lock_is_over_then_there_are_ten_more(door: Door) -> None:
    await door.register("ada")
    for _ in range(2):
        for _ in range(10):
            assert (await door.login("ada", password=WRONG)).status == 401
        assert (await door.login("ada")).status == 423
        await wait_over(door.log)
    assert (await door.login("ada")).status == 200


async def test_admit_when_five_were_wrong_then_each_next_one_waits_longer(
    log: EventLog, keyring: KeyRing
) -> None:
    guard, user_id = Guard(log, keyring), new_id()
    for _ in range(5):
        await guard.admit(subject=user_id, address=None)
    for wait in (1, 2, 4, 8, 16):
        with pytest.raises(TooManyGuesses) as refused:
            await guard.admit(subject=user_id, address=None)
        assert wait - 1 < (refused.value.retry_after or 0) <= wait
        async with log.database.write() as session:
            await session.execute(update(Guesses).values(not_before_ms=0))
        await guard.admit(subject=user_id, address=None)
    with pytest.raises(AccountLocked):
        await guard.admit(subject=user_id, address=None)


async def test_admit_when_an_address_guesses_at_many_then_ten_a_minute(
    log: EventLog, keyring: KeyRing
) -> None:
    guard = Guard(log, keyring)
    for number in range(10):
        await guard.admit(subject=new_id(), address=f"2001:db8::{number}")
    taken = new_id()
    for subject in (taken, guard.subject(None, "nobody")):
        with pytest.raises(TooManyGuesses) as refused:
            await guard.admit(subject=subject, address="2001:db8:0:0:ffff::1")
        assert 50 < (refused.value.retry_after or 0) <= 60
    await guard.admit(subject=taken, address="2001:db8:0:1::1")  # another network
    await wait_over(log)
    await guard.admit(subject=taken, address="2001:db8::1")


async def test_admit_when_guesses_are_right_then_the_address_may_go_on(
    log: EventLog, keyring: KeyRing
) -> None:
    guard = Guard(log, keyring)
    for _ in range(30):
        attempt = await guard.admit(subject=new_id(), address="192.0.2.1")
        await attempt.succeeded()
    for _ in range(9):
        await guard.admit(subject=new_id(), address="192.0.2.1")
    attempt = await guard.admit(subject=new_id(), address="192.0.2.1")
    with pytest.raises(TooManyGuesses):
        await guard.admit(subject=new_id(), address="192.0.2.1")
    await attempt.succeeded()  # gives one back, and forgives none of the others
    await guard.admit(subject=new_id(), address="192.0.2.1")
    with pytest.raises(TooManyGuesses):
        await guard.admit(subject=new_id(), address="192.0.2.1")


async def test_login_when_the_queue_is_full_then_the_guess_is_not_counted(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    await door.register("ada")

    def busy() -> None:
        raise PasswordsBusy(retry_after=2)

    with monkeypatch.context() as patched:
        patched.setattr(door.identity.passwords, "refuse_when_busy", busy)
        for _ in range(12):
            assert (await door.login("ada", password=WRONG)).status == 503
    assert (await door.login("ada")).status == 200


async def test_set_password_when_locked_then_the_lock_ends_with_it(door: Door) -> None:
    ada = await door.register("ada")
    for _ in range(10):
        await door.login("ada", password=WRONG)
    fresh = "nine-other-marbles-sing"
    new_hash = await door.identity.passwords.hash_new(fresh, context=())
    async with door.log.unit(f"account:{ada.id}") as unit:
        await set_password(unit, user_id=ada.id, new_hash=new_hash, how="link", actor="system")
    assert (await door.login("ada", password=fresh)).status == 200
    assert "login.unlocked" in await door.kinds(ada.id)


async def test_unlock_when_the_operator_asks_then_the_lock_ends_and_is_told(
    door: Door, database_url: str, tmp_path: Path
) -> None:
    ada = await door.register("ada")
    for _ in range(10):
        await door.login("ada", password=WRONG)
    environment = {
        "PATH": os.environ["PATH"],  # noqa: TID251 - what a process needs
        "DATABASE_URL": database_url,
        "DATA_DIR": str(tmp_path / "data"),
    }
    command = [sys.executable, "-m", "homeport", "user", "unlock", "ADA", "--json"]
    done = await asyncio.to_thread(
        subprocess.run, command, env=environment, capture_output=True, check=True, cwd=tmp_path
    )
    assert json.loads(done.stdout) == {"username": "ada", "unlocked": True}
    async with door.log.unit(f"account:{ada.id}") as unit:
        assert not await unlock(unit, user_id=ada.id, actor="operator")  # nothing is left
    assert (await door.login("ada")).status == 200
    unlocked = [event for event in await door.events(ada.id) if event.kind == "login.unlocked"]
    assert [event.actor for event in unlocked] == ["operator"]


async def test_upkeep_when_nobody_guessed_for_a_day_then_the_count_is_gone(door: Door) -> None:
    await door.login("nobody", password=WRONG)
    await door.login("somebody", password=WRONG)
    async with door.log.database.write() as session:
        one = select(Guesses.key).limit(1).scalar_subquery()
        await session.execute(
            update(Guesses)
            .where(Guesses.key == one)
            .values(touched_ms=Guesses.touched_ms - 86_400_001)
            .execution_options(synchronize_session=False)
        )
    await door.identity.upkeep()
    async with door.log.database.read() as session:
        assert await session.scalar(select(func.count()).select_from(Guesses)) == 1
