from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from homeport.kernel import clock
from homeport.kernel.db import Database
from homeport.kernel.db.idempotency import Attempt, KeyReused, claim, made_before, purge
from homeport.kernel.db.tables import IdempotencyKeyRow
from homeport.kernel.ids import new_id


def attempt(key: str = "k", body: object = None, user: str = "u", path: str = "POST /x") -> Attempt:
    made = Attempt.of(user, key, path, body)
    assert made is not None
    return made


def test_attempt_when_there_is_no_key_then_there_is_none() -> None:
    assert Attempt.of("u", None, "POST /x", {}) is None


def test_attempt_when_members_are_in_another_order_then_it_is_the_same_request() -> None:
    assert attempt(body={"a": 1, "b": 2}) == attempt(body={"b": 2, "a": 1})
    assert attempt(body={"a": 1}) != attempt(body={"a": 2})
    assert attempt(path="POST /x") != attempt(path="POST /y")


async def test_claim_when_repeated_then_the_first_thing_is_named(database: Database) -> None:
    async with database.write() as session:
        assert await claim(session, attempt(), thing_id="first") is None
    async with database.write() as session:
        assert await claim(session, attempt(), thing_id="second") == "first"
        assert await claim(session, attempt(user="other"), thing_id="third") is None
        with pytest.raises(KeyReused):
            await claim(session, attempt(body={"other": True}), thing_id="fourth")
        assert await claim(session, None, thing_id="fifth") is None
    async with database.read() as session:
        assert await made_before(session, attempt()) == "first"
        assert await made_before(session, attempt("unknown")) is None
        assert await made_before(session, None) is None


async def test_claim_when_its_transaction_fails_then_the_key_is_free(database: Database) -> None:
    async def fails() -> None:
        async with database.write() as session:
            await claim(session, attempt(), thing_id="first")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fails()
    async with database.write() as session:
        assert await claim(session, attempt(), thing_id="second") is None


@pytest.mark.requirement("F24")
async def test_claim_when_twenty_come_at_once_then_all_name_one_thing(database: Database) -> None:
    async def one() -> str:
        mine = new_id()
        async with database.write() as session:
            return await claim(session, attempt(), thing_id=mine) or mine

    assert len(set(await asyncio.gather(*(one() for _ in range(20))))) == 1


async def test_claim_when_a_day_has_passed_then_the_key_is_new_again(database: Database) -> None:
    async with database.write() as session:
        await claim(session, attempt(), thing_id="first")
        await claim(session, attempt("young"), thing_id="young")
        old = clock.utc_now() - timedelta(hours=24)
        where = IdempotencyKeyRow.key == "k"
        await session.execute(update(IdempotencyKeyRow).where(where).values(created_at=old))
    async with database.read() as session:
        assert await made_before(session, attempt(body="other")) is None
    async with database.write() as session:
        assert await claim(session, attempt(body="other"), thing_id="second") is None
        await session.execute(update(IdempotencyKeyRow).where(where).values(created_at=old))
    async with database.write() as session:
        assert await purge(session) == 1
        assert await purge(session) == 0
        assert await session.scalar(select(func.count()).select_from(IdempotencyKeyRow)) == 1
