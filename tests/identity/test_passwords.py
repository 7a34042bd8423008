"""Passwords: what is taken, what matches, and that the event loop never computes a hash."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import unicodedata
from collections.abc import AsyncIterator
from statistics import median

import bcrypt
import pytest
from sqlalchemy import update

from homeport.identity.errors import PasswordsBusy, WeakPassword
from homeport.identity.models import User
from homeport.identity.passwords import NICENESS, QUEUE, Passwords, hash_kind
from homeport.kernel import clock
from identity.door import PASSWORD, Door
from support.answer import Answer

# 128 characters out of words that do not belong together.
LONG = (
    "umbrella quartz mildew forty oxen salute a verdant kiosk behind nine thrifty walruses "
    "humming jazz over lukewarm pudding in Reykjavik"
)[:128].ljust(128, "z")


@pytest.fixture
async def passwords() -> AsyncIterator[Passwords]:
    made = Passwords()
    yield made
    made.close()


async def _register(door: Door, password: str, *, name: str = "ada") -> Answer:
    return await door.call(
        "POST",
        "/v1/auth/register",
        json={"email": f"{name}@example.com", "username": name, "password": password},
    )


@pytest.mark.requirement("1")
async def test_register_when_the_length_is_at_a_border_then_exactly_accepted_or_refused(
    door: Door,
) -> None:
    for number, (password, status) in enumerate(
        (
            ("vK7#qPw", 422),  # 7
            ("vK7#qPw9", 201),  # 8
            ("vK7#qPw9xmRt2L", 201),  # 14
            ("vK7#qPw9xmRt2Lb", 201),  # 15
            (LONG[:64], 201),
            (LONG, 201),
            (LONG + "x", 422),  # 129
            (LONG * 7, 422),
        )
    ):
        answer = await _register(door, password, name=f"user{number}")
        assert answer.status == status, (len(password), answer.body)
        if status == 201:
            assert (await door.login(f"user{number}", password=password)).status == 200


@pytest.mark.requirement("2")
async def test_login_when_the_password_is_nearly_right_then_refused(door: Door) -> None:
    prefix = (LONG[:71] + "!")[:72]
    await _register(door, prefix + "-and-a-tail")
    for wrong in (
        prefix,
        prefix + "-and-another",
        prefix + "-and-a-tail ",
        " " + prefix + "-and-a-tail",
        (prefix + "-and-a-tail").upper(),
    ):
        assert (await door.login("ada", password=wrong)).status == 401
        assert (await door.login("ada", password=prefix + "-and-a-tail")).status == 200


@pytest.mark.requirement("2")
async def test_login_when_spaces_or_composition_matter_then_as_nfc_says(door: Door) -> None:
    leading = "  quiet lanterns drift south"
    await _register(door, leading, name="ada")
    assert (await door.login("ada", password=leading.strip())).status == 401
    composed = unicodedata.normalize("NFC", "übergröße spült café")
    await _register(door, composed, name="bob")
    decomposed = unicodedata.normalize("NFD", composed)
    assert decomposed != composed
    assert (await door.login("bob", password=decomposed)).status == 200


async def test_register_when_the_password_is_weak_then_the_refusal_says_what_helps(
    door: Door,
) -> None:
    for password in (
        "password1",
        "12345678",
        "qwertyuiop",
        "aaaaaaaaaaaa",
        "iloveyou1",
        "P@ssw0rd",
    ):
        answer = await _register(door, password)
        assert (answer.status, answer.code) == (422, "password.weak")
        assert answer.json["issues"]
        assert password.encode() not in answer.body
    lower = await _register(door, "crimsonotterfluteplay")
    assert lower.status == 201  # no rule of composition


@pytest.mark.requirement("3")
async def test_register_when_the_password_is_made_of_known_names_then_refused(door: Door) -> None:
    for password in (
        "homeport-99x",
        "Grace.Hopper7",
        "hopper-homeport",
        "grace.hopper@example.com",
    ):
        answer = await door.call(
            "POST",
            "/v1/auth/register",
            json={
                "email": "grace.hopper@example.com",
                "username": "hopper",
                "password": password,
            },
        )
        assert (answer.status, answer.code) == (422, "password.weak"), password


@pytest.mark.requirement("4")
async def test_login_when_the_name_is_unknown_then_the_answer_is_the_same(door: Door) -> None:
    await door.register("ada")
    await door.register("off")
    async with door.log.database.write() as session:
        await session.execute(update(User).where(User.username == "off").values(is_active=False))
    wrong = "seven-quiet-lanterns-drift"
    known, unknown, off = [
        await door.login(name, password=wrong) for name in ("ada", "nobody", "off")
    ]
    for answer in (unknown, off):
        assert answer.status == known.status == 401
        assert answer.headers.keys() == known.headers.keys()
        told, expected = answer.json, known.json
        for document in (told, expected):
            document.pop("request_id", None)
        assert told == expected


async def test_verify_when_there_is_no_such_account_then_as_much_work_is_done(
    passwords: Passwords,
) -> None:
    await passwords.prepare()
    stored = await passwords.hash_new(PASSWORD, context=())
    spent: dict[str | None, list[float]] = {stored: [], None: []}
    for _ in range(15):
        for known in (stored, None):
            before = clock.monotonic()
            assert not (await passwords.verify("seven-quiet-lanterns", known)).valid
            spent[known].append(clock.monotonic() - before)
    # Not a limit on time: skipping the work for unknown names would be a factor of a thousand.
    assert median(spent[None]) > median(spent[stored]) / 4


async def test_login_when_the_hash_is_bcrypt_then_verified_and_upgraded(door: Door) -> None:
    ada = await door.register("ada")
    old = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    async with door.log.database.write() as session:
        await session.execute(update(User).values(password_hash=old))
    assert (await door.login("ada", password="not this one at all")).status == 401
    assert (await door.login("ada")).status == 200
    async with door.log.database.read() as session:
        user = await session.get_one(User, ada.id)
    assert hash_kind(user.password_hash or "") == "argon2id"
    assert "password.rehashed" in await door.kinds(ada.id)
    assert (await door.login("ada")).status == 200
    assert (await door.kinds(ada.id)).count("password.rehashed") == 1


async def test_verify_when_bcrypt_cannot_read_it_all_then_refused(passwords: Passwords) -> None:
    stored = bcrypt.hashpw(LONG[:72].encode(), bcrypt.gensalt(4)).decode()
    assert (await passwords.verify(LONG[:72], stored)).valid
    assert not (await passwords.verify(LONG[:73], stored)).valid
    for broken in ("", "plain", "$2b$12$short", "$argon2id$v=19$m=1,t=1,p=1$x$y"):
        assert not (await passwords.verify(PASSWORD, broken)).valid


async def test_hash_new_when_bcrypt_is_wanted_then_kept_and_72_bytes_are_the_most() -> None:
    passwords = Passwords(hasher="bcrypt")
    try:
        stored = await passwords.hash_new(LONG[:72], context=())
        assert hash_kind(stored) == "bcrypt"
        verdict = await passwords.verify(LONG[:72], stored)
        assert (verdict.valid, verdict.upgraded) == (True, None)
        with pytest.raises(WeakPassword, match="72 bytes"):
            await passwords.hash_new(LONG[:73], context=())
        with pytest.raises(WeakPassword, match="72 bytes"):
            await passwords.hash_new(LONG[:70] + "éé", context=())
    finally:
        passwords.close()


async def test_verify_when_many_sign_in_then_the_loop_runs_and_two_threads_hash(
    passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = await passwords.hash_new(PASSWORD, context=())
    threads: set[str] = set()
    matches = passwords._matches  # pyright: ignore[reportPrivateUsage] - watched, not replaced

    def watched(password: str, known: str) -> bool:
        threads.add(threading.current_thread().name)
        return matches(password, known)

    monkeypatch.setattr(passwords, "_matches", watched)
    turns = 0
    signing_in = [asyncio.create_task(passwords.verify(PASSWORD, stored)) for _ in range(12)]
    while not all(task.done() for task in signing_in):
        turns += 1
        await asyncio.sleep(0.001)
    assert all(verdict.valid for verdict in await asyncio.gather(*signing_in))
    assert threads == {"passwords_0", "passwords_1"}
    assert turns > 20  # a hash on the loop would leave it a turn per sign-in at most
    if sys.platform == "linux":
        ids = [thread.native_id for thread in threading.enumerate() if thread.name in threads]
        before = os.getpriority(os.PRIO_PROCESS, 0)
        expected = min(before + NICENESS, 19)
        assert {os.getpriority(os.PRIO_PROCESS, each or 0) for each in ids} == {expected}


async def test_verify_when_the_queue_is_full_then_told_to_come_again(passwords: Passwords) -> None:
    stored = await passwords.hash_new(PASSWORD, context=())
    release = threading.Event()
    held = [asyncio.create_task(passwords._run(release.wait)) for _ in range(QUEUE)]  # pyright: ignore[reportPrivateUsage]
    await asyncio.sleep(0)
    with pytest.raises(PasswordsBusy) as busy:
        await passwords.verify(PASSWORD, stored)
    assert busy.value.retry_after
    release.set()
    await asyncio.gather(*held)
    assert (await passwords.verify(PASSWORD, stored)).valid
