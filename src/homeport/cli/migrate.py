"""`homeport migrate`."""

from __future__ import annotations

from homeport import migrations
from homeport.kernel.data_directory import make_data_directory
from homeport.kernel.db import Database
from homeport.settings import Settings


async def move_schema(settings: Settings, revision: str) -> str:
    """Moves the schema up or down to `revision` and returns where it stands then.

    Raises:
        HomeportError: The database does not answer, or does not know the revision.
    """
    make_data_directory(settings.data_path)
    database = Database(settings.effective_database_url)
    try:
        now = await migrations.current(database)
        if revision == "base" or (now is not None and revision != "head" and revision < now):
            await migrations.downgrade(database, revision)
        else:
            await migrations.upgrade(database, revision)
        return await migrations.current(database) or "base"
    finally:
        await database.close()
