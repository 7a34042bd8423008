"""Every nonce once: one conditional write in the database that all nodes share."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from sqlalchemy import delete, update
from sqlalchemy.dialects import postgresql, sqlite

from homeport.identity.signatures.models import RequestKey, SignatureNonce
from homeport.kernel import clock
from homeport.kernel.db import WriteSession

REMEMBERED: Final = timedelta(minutes=5)  # a signature lives a minute


async def spend(session: WriteSession, *, user_id: str, thumbprint: str, nonce: str) -> bool:
    """Whether this call, and no other on any node, has used the nonce."""
    now = clock.utc_now()
    connection = await session.connection()
    build = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    taken = await session.execute(
        build(SignatureNonce)
        .values(thumbprint=thumbprint, nonce=nonce, expires_at=now + REMEMBERED)
        .on_conflict_do_nothing()
        .returning(SignatureNonce.nonce)
    )
    if taken.first() is None:
        return False
    await session.execute(
        update(RequestKey)
        .where(RequestKey.user_id == user_id, RequestKey.thumbprint == thumbprint)
        .values(last_used_at=now)
        .execution_options(synchronize_session=False)
    )
    return True


async def remove_old(session: WriteSession) -> None:
    """Takes away nonces that nothing can be signed with any more; for a chore."""
    await session.execute(delete(SignatureNonce).where(SignatureNonce.expires_at < clock.utc_now()))
