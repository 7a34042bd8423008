"""The house opens in order, drains, and closes in reverse."""

from __future__ import annotations

import asyncio
import importlib.util
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest
from sqlalchemy import select

from homeport.eventlog import EventLog
from homeport.kernel import clock
from homeport.kernel.data_directory import DataDirectoryInUse
from homeport.kernel.db import Database, idempotency
from homeport.kernel.db.tables import IdempotencyKeyRow
from homeport.kernel.wakeups import Wakeups
from homeport.migrations import is_current
from homeport.operations import Operations
from homeport.settings import Settings
from homeport.wiring.nodes import RedisMissing
from homeport.wiring.opening import open_house


def settings(folder: Path, url: str | None = None) -> Settings:
    return Settings(data_dir=folder / "data", database_url=url)


async def test_house_when_opened_on_either_database_then_it_is_migrated_and_ready(
    empty_database_url: str, tmp_path: Path
) -> None:
    async with open_house(settings(tmp_path, empty_database_url)) as house:
        assert await is_current(house.get(Database))
        assert isinstance(house.get(EventLog), EventLog)
        findings = await house.get(Operations).findings()
        assert all(finding.ok for finding in findings.values()), findings


async def test_house_when_one_process_has_its_own_database_then_nobody_is_woken(
    tmp_path: Path,
) -> None:
    with_redis = Settings(data_dir=tmp_path / "data", redis_url="redis://127.0.0.1:1")
    async with open_house(with_redis) as house:
        assert "wakeups" not in await house.get(Operations).findings()
        house.get(Wakeups).send("stream", "session:s")


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
async def test_house_when_the_redis_package_is_missing_then_it_says_what_to_install(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find_spec = importlib.util.find_spec

    def found(name: str) -> ModuleSpec | None:
        return None if name == "redis" else find_spec(name)

    monkeypatch.setattr(importlib.util, "find_spec", found)
    with_redis = Settings(
        data_dir=tmp_path / "data", database_url=database_url, redis_url="redis://127.0.0.1:1"
    )
    with pytest.raises(RedisMissing, match="make redis"):
        async with open_house(with_redis):
            pass


async def test_house_when_a_second_one_opens_on_the_same_directory_then_it_is_refused(
    tmp_path: Path,
) -> None:
    async with open_house(settings(tmp_path)):
        with pytest.raises(DataDirectoryInUse):
            async with open_house(settings(tmp_path)):
                pass
    async with open_house(settings(tmp_path)):
        pass


async def test_house_when_drained_then_all_are_told_before_it_closes(tmp_path: Path) -> None:
    told: list[str] = []

    async def hand_over() -> None:
        assert house.draining.begun
        told.append("handed over")

    async def watch() -> None:
        try:
            await asyncio.sleep(600)
        finally:
            told.append("chore ended")

    async with open_house(settings(tmp_path)) as house:
        house.drains.append(hand_over)
        house.chore("watch", watch())
        await asyncio.sleep(0)
        await house.drain()
        assert told == ["handed over"]
    assert told == ["handed over", "chore ended"]


async def test_house_when_it_opens_then_keys_of_old_requests_are_forgotten(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    old = clock.utc_now() - idempotency.LIFETIME
    many = idempotency.PURGE_ROWS + 1  # more than one step removes
    keys = [(f"old-{number}", old) for number in range(many)] + [("young", clock.utc_now())]
    async with database.write() as session:
        session.add_all(
            IdempotencyKeyRow(user_id="u", key=key, digest="d", thing_id="t", created_at=at)
            for key, at in keys
        )
    async with open_house(settings(tmp_path, database_url)), asyncio.timeout(30):
        while await _keys(database) != ["young"]:
            await asyncio.sleep(0.02)


async def _keys(database: Database) -> list[str]:
    async with database.read() as session:
        return list(await session.scalars(select(IdempotencyKeyRow.key)))


async def test_banner_when_the_database_has_a_password_then_it_is_hidden(
    database_url: str, tmp_path: Path
) -> None:
    with_password = database_url.replace("postgres@", "postgres:hunter2@")
    async with open_house(settings(tmp_path, with_password)) as house:
        assert "hunter2" not in str(house.banner)
