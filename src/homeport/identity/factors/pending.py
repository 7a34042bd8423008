"""A sign-in halfway: the password was right, and nothing is open yet but the second factor.

The `mfa_token` is `hpm_` + 43 characters of base64url (256 bits). It proves nobody to any route: it
only names the attempt that a code completes, once, within five minutes.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from homeport.identity.factors.models import PendingSignIn
from homeport.identity.opaque import hashed, new_secret
from homeport.kernel.db import WriteSession

LIFETIME: Final = timedelta(minutes=5)
_MARK: Final = "hpm_"
_FORM: Final = re.compile(rf"{_MARK}[A-Za-z0-9_-]{{43}}", re.ASCII)


def begin(
    session: WriteSession, *, user_id: str, scopes: frozenset[str] | None, now: datetime
) -> str:
    """Keeps the attempt; returns its `mfa_token`, which is nowhere else."""
    token = _MARK + new_secret()
    session.add(
        PendingSignIn(
            token_hash=hashed(token),
            user_id=user_id,
            scopes=None if scopes is None else sorted(scopes),
            expires_at=now + LIFETIME,
        )
    )
    return token


async def find(session: AsyncSession, token: str, *, now: datetime) -> PendingSignIn | None:
    """The attempt that `token` names, in its time."""
    if not _FORM.fullmatch(token):
        return None
    return await session.scalar(
        select(PendingSignIn).where(
            PendingSignIn.token_hash == hashed(token), PendingSignIn.expires_at > now
        )
    )


async def finish(session: WriteSession, token_hash: bytes, *, now: datetime) -> bool:
    """Whether this call, and no other, completes the attempt."""
    finished = await session.execute(
        delete(PendingSignIn)
        .where(PendingSignIn.token_hash == token_hash, PendingSignIn.expires_at > now)
        .returning(PendingSignIn.user_id)
        .execution_options(synchronize_session=False)
    )
    return finished.first() is not None


async def abandon(session: WriteSession, user_id: str) -> None:
    """Ends what `user_id` has begun and not completed."""
    await session.execute(delete(PendingSignIn).where(PendingSignIn.user_id == user_id))


async def remove_expired(session: WriteSession, *, now: datetime) -> None:
    """Takes away attempts that nobody completed in time."""
    await session.execute(delete(PendingSignIn).where(PendingSignIn.expires_at < now))
