"""What a database holds of somebody: every row that names anything of theirs."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path

MOVING = frozenset({"last_seen_at", "last_used_at", "last_login_at"})
"""Columns that say when something was used, which its owner does all the time."""
PASSING = frozenset({"stream_tickets"})
"""Tables whose rows go by themselves within seconds."""


def rows_about(database: Path, ids: Iterable[str]) -> set[str]:
    """Every row with one of `ids` in it, as text; streams with their heads are among them."""
    wanted = tuple(ids)
    found: set[str] = set()
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        for (table,) in names.fetchall():
            if table in PASSING:
                continue
            rows = connection.execute(f'SELECT * FROM "{table}"')
            columns = [each[0] for each in rows.description]
            for row in rows:
                told = {
                    name: value
                    for name, value in zip(columns, row, strict=True)
                    if name not in MOVING
                }
                text = f"{table} {told}"
                if any(each in text for each in wanted):
                    found.add(text)
    finally:
        connection.close()
    return found
