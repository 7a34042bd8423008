"""Makes a POST safe to repeat: its key is written in the transaction that makes the thing.

    attempt = Attempt.of(caller.user_id, key, "POST /v1/things", body.model_dump(mode="json"))
    async with log.unit(...) as unit:
        thing_id = await idempotency.claim(unit.session, attempt, thing_id=new) or new

The row keeps the thing's id and not the answer: a repeat renders the thing as it is by then.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson
from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite

from homeport.kernel import clock
from homeport.kernel.db.engine import ReadSession, WriteSession
from homeport.kernel.db.tables import IdempotencyKeyRow
from homeport.kernel.errors import Unprocessable

LIFETIME = timedelta(hours=24)
PURGE_ROWS = 1_000


class KeyReused(Unprocessable):
    """The key came with another request before."""

    code = "idempotency.key-reused"
    title = "This Idempotency-Key belongs to another request"


@dataclass(frozen=True, slots=True)
class Attempt:
    """A request that may be a repeat."""

    user_id: str
    key: str
    digest: str

    @classmethod
    def of(cls, user_id: str, key: str | None, operation: str, body: Any) -> Attempt | None:
        """The attempt of a request, or None when it came without a key.

        Args:
            operation: Method and path: the same key for another route is another request.
            body: The body as JSON values; members in any order are the same body.
        """
        if key is None:
            return None
        canonical = orjson.dumps([operation, body], option=orjson.OPT_SORT_KEYS)
        return cls(user_id, key, hashlib.sha256(canonical).hexdigest())


async def made_before(session: ReadSession | WriteSession, attempt: Attempt | None) -> str | None:
    """The id of what the same request has made in the last 24 hours, or None.

    Raises:
        KeyReused: The key came with another request.
    """
    if attempt is None:
        return None
    row = await session.scalar(
        select(IdempotencyKeyRow)
        .where(
            IdempotencyKeyRow.user_id == attempt.user_id,
            IdempotencyKeyRow.key == attempt.key,
            IdempotencyKeyRow.created_at > clock.utc_now() - LIFETIME,
        )
        .execution_options(populate_existing=True)
    )
    if row is None:
        return None
    if row.digest != attempt.digest:
        raise KeyReused(param="Idempotency-Key")
    return row.thing_id


async def claim(session: WriteSession, attempt: Attempt | None, *, thing_id: str) -> str | None:
    """Takes the key for `thing_id`; the other id when the same request was made before.

    Of two at once the second waits for the first one's commit, and then finds its thing.

    Raises:
        KeyReused: The key came with another request.
    """
    if attempt is None:
        return None
    now = clock.utc_now()
    await session.execute(
        delete(IdempotencyKeyRow).where(
            IdempotencyKeyRow.user_id == attempt.user_id,
            IdempotencyKeyRow.key == attempt.key,
            IdempotencyKeyRow.created_at <= now - LIFETIME,
        )
    )
    connection = await session.connection()
    build = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    taken = await session.execute(
        build(IdempotencyKeyRow)
        .values(
            user_id=attempt.user_id,
            key=attempt.key,
            digest=attempt.digest,
            thing_id=thing_id,
            created_at=now,
        )
        .on_conflict_do_nothing()
        .returning(IdempotencyKeyRow.key)
    )
    return None if taken.first() is not None else await made_before(session, attempt)


async def forget(session: WriteSession, *, user_id: str, thing_ids: Sequence[str]) -> None:
    """Removes the keys that have made these things: the digest tells what a request said."""
    await session.execute(
        delete(IdempotencyKeyRow).where(
            IdempotencyKeyRow.user_id == user_id, IdempotencyKeyRow.thing_id.in_(thing_ids)
        )
    )


async def purge(session: WriteSession) -> int:
    """Removes at most 1,000 keys older than 24 hours; returns how many. For a chore."""
    old = (
        select(IdempotencyKeyRow.user_id, IdempotencyKeyRow.key)
        .where(IdempotencyKeyRow.created_at <= clock.utc_now() - LIFETIME)
        .limit(PURGE_ROWS)
    )
    rows = (await session.execute(old)).all()
    for user_id, key in rows:
        await session.execute(
            delete(IdempotencyKeyRow).where(
                IdempotencyKeyRow.user_id == user_id, IdempotencyKeyRow.key == key
            )
        )
    return len(rows)
