"""`homeport migrate`."""

from __future__ import annotations

import sys
from typing import Final

from homeport import migrations
from homeport.kernel.data_directory import make_data_directory
from homeport.kernel.db import Database
from homeport.kernel.errors import Conflict
from homeport.settings import Settings

YES: Final = "yes"


class NotConfirmed(Conflict):
    """Nobody has said that what the older schema has no place for may go."""

    code = "storage.downgrade-not-confirmed"
    title = "Nothing was changed"


async def move_schema(settings: Settings, revision: str, *, confirmed: bool) -> str:
    """Moves the schema up or down to `revision` and returns where it stands then.

    Args:
        settings: Name the database.
        revision: `head`, `base`, or one of the history.
        confirmed: Whether to go down without a question.

    Raises:
        NotConfirmed: Down is the way, and nobody has typed that it may be taken.
        HomeportError: The database does not answer, or does not know the revision.
    """
    make_data_directory(settings.data_path)
    database = Database(settings.effective_database_url)
    try:
        now = await migrations.current(database)
        if revision == "base" or (now is not None and revision != "head" and revision < now):
            if now is not None and not confirmed:
                name = database.url.render_as_string(hide_password=True)
                _ask(f"From {now} down to {revision}, {name} loses {_lost(revision)} for good.")
            await migrations.downgrade(database, revision)
        else:
            await migrations.upgrade(database, revision)
        return await migrations.current(database) or "base"
    finally:
        await database.close()


def _lost(revision: str) -> str:
    return "EVERYTHING" if revision == "base" else "all that the older schema has no place for"


def _ask(warning: str) -> None:
    print(f"{warning}\nType {YES} to go on: ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip() != YES:
        raise NotConfirmed(f"{warning} Type {YES}, or give --yes.")
