"""Showing a second factor: which ones an account has, and whether a code is right, recorded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncSession

from homeport.eventlog import Unit
from homeport.eventlog.catalogue.factor import (
    FactorMethod,
    FactorPurpose,
    SecondFactorRefused,
    SecondFactorUsed,
)
from homeport.identity.factors.recovery import count_codes, spend_code
from homeport.identity.factors.totp import Totp, has_totp
from homeport.identity.guard import Attempt
from homeport.kernel import clock

CodeMethod = Literal["totp", "recovery"]


@dataclass(frozen=True, slots=True)
class ShownCode:
    """A code that somebody showed, for what, and the guess that it was counted as."""

    method: CodeMethod
    code: str = field(repr=False)
    purpose: FactorPurpose
    guess: Attempt
    address: str | None = None
    device_id: str | None = None


async def methods_of(session: AsyncSession, user_id: str) -> list[FactorMethod]:
    """How `user_id` can show a second factor; empty is an account without one.

    Recovery codes are no factor of their own: they stand in for one that is lost.
    """
    if not await has_totp(session, user_id):
        return []
    return ["totp", "recovery"] if await count_codes(session, user_id) else ["totp"]


async def prove(unit: Unit, totp: Totp, shown: ShownCode, *, user_id: str) -> bool:
    """Whether the code is right and was not used before; both answers are recorded.

    Commit a refusal like a success: its record is what a later look at the account finds.
    """
    now = clock.utc_now()
    if shown.method == "totp":
        right = await totp.spend(unit.session, user_id=user_id, code=shown.code, now=now)
    else:
        right = await spend_code(unit.session, user_id=user_id, code=shown.code, now=now)
    stream = f"account:{user_id}"
    if not right:
        refused = SecondFactorRefused(
            method=shown.method, purpose=shown.purpose, address=shown.address
        )
        unit.append(stream, refused, actor="system")
        return False
    await shown.guess.succeeded(unit.session)
    used = SecondFactorUsed(
        method=shown.method,
        purpose=shown.purpose,
        device_id=shown.device_id,
        address=shown.address,
    )
    unit.append(stream, used, actor=f"user:{user_id}")
    return True
