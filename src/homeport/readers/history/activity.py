"""What an account has done, for its profile."""

from __future__ import annotations

from sqlalchemy import case, func, select

from homeport.identity.activity import ActivityFigures
from homeport.kernel.db import Database
from homeport.sessions.models import SessionRow

_present = SessionRow.state != "deleted"


class SessionActivity:
    """Adds an account's sessions up by their counters; stateless calls are no session's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, user_id: str) -> ActivityFigures:
        """Sessions and messages that are still there; tokens of the deleted ones too."""
        query = select(
            func.sum(case((_present, 1), else_=0)),
            func.sum(case((_present, SessionRow.ordinal), else_=0)),
            func.sum(SessionRow.input_tokens),
            func.sum(SessionRow.output_tokens),
            func.sum(SessionRow.cache_read_tokens),
            func.sum(SessionRow.cache_write_tokens),
        ).where(SessionRow.user_id == user_id)
        async with self._database.read() as session:
            row = (await session.execute(query)).one()
        sessions, messages, read, written, cache_read, cache_write = (int(n or 0) for n in row)
        return ActivityFigures(
            session_count=sessions,
            message_count=messages,
            token_usage={
                "input_tokens": read,
                "output_tokens": written,
                "cache_read_tokens": cache_read,
                "cache_write_tokens": cache_write,
                "total_tokens": read + written + cache_read + cache_write,
            },
        )
