"""Recovery codes: ten of 80 bits, each good once, for the day when the phone is gone."""

from __future__ import annotations

import re
import secrets
from datetime import datetime
from typing import Final

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from homeport.identity.factors.models import RecoveryCode
from homeport.identity.opaque import hashed
from homeport.kernel.db import WriteSession

COUNT: Final = 10
_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's: no two look alike
_CHARACTERS, _GROUP = 16, 4
_TYPED: Final = re.compile(rf"[{_ALPHABET}]{{{_CHARACTERS}}}", re.ASCII)
_ALIKE: Final = str.maketrans("oil", "011", " -")


async def replace_codes(session: WriteSession, user_id: str) -> list[str]:
    """Ten new codes of `user_id`, shown once; those from before are worth nothing."""
    await remove_codes(session, user_id)
    codes = ["".join(secrets.choice(_ALPHABET) for _ in range(_CHARACTERS)) for _ in range(COUNT)]
    session.add_all(
        RecoveryCode(code_hash=hashed(code), user_id=user_id, used_at=None) for code in codes
    )
    starts = range(0, _CHARACTERS, _GROUP)
    return ["-".join(code[start : start + _GROUP] for start in starts) for code in codes]


async def spend_code(session: WriteSession, *, user_id: str, code: str, now: datetime) -> bool:
    """Whether `code` is one of `user_id`'s; one conditional write uses it up.

    Case, spaces and hyphens make no difference, nor does an `o` for a zero or an `i` for a one.
    """
    typed = code.lower().translate(_ALIKE)
    if not _TYPED.fullmatch(typed):
        return False
    spent = await session.execute(
        update(RecoveryCode)
        .where(
            RecoveryCode.code_hash == hashed(typed),
            RecoveryCode.user_id == user_id,
            RecoveryCode.used_at.is_(None),
        )
        .values(used_at=now)
        .returning(RecoveryCode.user_id)
        .execution_options(synchronize_session=False)
    )
    return spent.first() is not None


async def count_codes(session: AsyncSession, user_id: str) -> int:
    """How many codes of `user_id` are unused."""
    query = select(func.count()).where(
        RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_(None)
    )
    return await session.scalar(query) or 0


async def remove_codes(session: WriteSession, user_id: str) -> None:
    """Takes all codes of `user_id` away."""
    await session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
