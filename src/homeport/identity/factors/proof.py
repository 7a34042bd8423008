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
from homeport.identity.passkeys.models import Passkey
from homeport.identity.passkeys.service import has_passkey, note_use
from homeport.kernel import clock

CodeMethod = Literal["totp", "recovery"]


@dataclass(frozen=True, slots=True)
class ShownCode:
    """A code that somebody showed, for what, and the guess that it was counted as."""

    method: CodeMethod
    code: str = field(repr=False)
    purpose: FactorPurpose
    guess: Attempt


async def methods_of(session: AsyncSession, user_id: str) -> list[FactorMethod]:
    """How `user_id` can show a second factor; empty is an account without one.

    Recovery codes are no factor of their own: they stand in for one that is lost.
    """
    methods: list[FactorMethod] = []
    if await has_totp(session, user_id):
        methods.append("totp")
    if await has_passkey(session, user_id):
        methods.append("passkey")
    if methods and await count_codes(session, user_id):
        methods.append("recovery")
    return methods


async def prove_code(
    unit: Unit,
    *,
    totp: Totp,
    shown: ShownCode,
    user_id: str,
    address: str | None,
    device_id: str | None = None,
) -> bool:
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
        refused = SecondFactorRefused(method=shown.method, purpose=shown.purpose, address=address)
        unit.append(stream, refused, actor="system")
        return False
    await shown.guess.succeeded(unit.session)
    used = SecondFactorUsed(
        method=shown.method,
        purpose=shown.purpose,
        device_id=device_id,
        address=address,
    )
    unit.append(stream, used, actor=f"user:{user_id}")
    return True


async def prove_passkey(
    unit: Unit, *, passkey: Passkey, count: int, address: str | None, device_id: str
) -> bool:
    """Whether the passkey that has signed is no copy, as far as its counter tells; recorded."""
    if not await note_use(unit, passkey, count=count, address=address):
        return False
    used = SecondFactorUsed(
        method="passkey", purpose="step-up", device_id=device_id, address=address
    )
    unit.append(f"account:{passkey.user_id}", used, actor=f"user:{passkey.user_id}")
    return True
