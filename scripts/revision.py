# ruff: noqa: INP001 - a script
"""Drafts the next migration: what the models have and the history does not. Read it, then keep it.

Usage: revision.py 0007_things "What it is about"
"""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile

from alembic import command
from sqlalchemy import Connection

from homeport.app import create_app
from homeport.kernel.db import Database
from homeport.migrations import upgrade
from homeport.migrations.runner import alembic_config
from homeport.settings import Settings

NAME = re.compile(r"\d{4}_[a-z_]{2,26}")


def draft(connection: Connection, name: str, title: str) -> None:
    """Writes the draft next to the others."""
    command.revision(alembic_config(connection), title, autogenerate=True, rev_id=name)


async def main(name: str, title: str) -> int:
    """Compares on an empty SQLite database; returns the exit code."""
    if not NAME.fullmatch(name) or not title:
        sys.stderr.write("usage: make revision NAME=0007_things TITLE='What it is about'\n")
        return 2
    create_app(Settings.model_construct())  # every room's models are loaded with its router
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/empty.db")
        await upgrade(database)
        async with database.writer.connect() as connection:
            await connection.run_sync(draft, name, title)
        await database.close()
    sys.stdout.write(f"Read the draft, then set HEAD in migrations/history.py to {name!r}.\n")
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1], sys.argv[2])))
