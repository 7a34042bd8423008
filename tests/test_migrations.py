"""The one history: up, down, twice at once, and the cheap question whether it is current."""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
import subprocess
import sys

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Integer, inspect, text

import homeport
from homeport.kernel.db import Database, Model
from homeport.migrations import HEAD, SchemaUnknown, current, downgrade, is_current, upgrade
from homeport.migrations.runner import alembic_config


async def tables(database: Database) -> set[str]:
    async with database.writer.connect() as connection:
        return set(await connection.run_sync(lambda sync: inspect(sync).get_table_names()))


def test_head_when_read_without_alembic_then_it_is_the_newest_script() -> None:
    scripts = ScriptDirectory.from_config(alembic_config())
    assert scripts.get_heads() == [HEAD]


def test_history_when_walked_then_it_is_one_line() -> None:
    scripts = ScriptDirectory.from_config(alembic_config())
    names = [script.revision for script in scripts.walk_revisions()]
    assert names == sorted(names, reverse=True)
    assert len(scripts.get_bases()) == 1


async def test_upgrade_when_the_database_is_empty_then_it_becomes_current(
    empty_database_url: str,
) -> None:
    database = Database(empty_database_url)
    assert await current(database) is None
    await upgrade(database)
    assert await is_current(database)
    await database.close()


async def test_upgrade_when_run_again_then_nothing_changes(database: Database) -> None:
    before = await tables(database)
    await upgrade(database)
    assert await tables(database) == before


async def test_downgrade_when_to_base_and_up_again_then_the_tables_are_the_same(
    database: Database,
) -> None:
    before = await tables(database)
    await downgrade(database, "base")
    assert await tables(database) == {"alembic_version"}
    assert not await is_current(database)
    await upgrade(database)
    assert await tables(database) == before


async def test_upgrade_when_several_nodes_start_at_once_then_all_succeed(
    empty_database_url: str,
) -> None:
    nodes = [Database(empty_database_url) for _ in range(4)]
    await asyncio.gather(*(upgrade(node) for node in nodes))
    assert [await is_current(node) for node in nodes] == [True] * 4
    for node in nodes:
        await node.close()


async def test_upgrade_when_the_schema_is_from_the_future_then_it_says_so_and_changes_nothing(
    database: Database,
) -> None:
    async with database.write() as session:
        await session.execute(text("UPDATE alembic_version SET version_num = '9999_future'"))
    with pytest.raises(SchemaUnknown, match="9999_future"):
        await upgrade(database)
    assert await current(database) == "9999_future"


async def test_models_when_compared_with_the_migrated_schema_then_nothing_differs(
    database: Database,
) -> None:
    for module in pkgutil.walk_packages(homeport.__path__, "homeport."):
        if module.name.endswith((".models", ".tables")):
            importlib.import_module(module.name)

    def compare_type(
        _context: object, _column: object, _model: object, there: object, here: object
    ) -> bool | None:
        integers = isinstance(there, Integer) and isinstance(here, Integer)
        # SQLite's integers have one size; only a primary key cares about the word.
        return False if integers and database.dialect == "sqlite" else None

    def differences(connection: Connection) -> object:
        context = MigrationContext.configure(connection, opts={"compare_type": compare_type})
        return compare_metadata(context, Model.metadata)

    async with database.writer.connect() as connection:
        assert await connection.run_sync(differences) == []


def test_is_current_when_imported_then_alembic_is_not_loaded() -> None:
    program = "import sys, homeport.migrations; sys.exit('alembic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
