"""Second factors of an account: added, removed, reset. The first, and each end, ends sign-ins."""

from __future__ import annotations

from typing import Final

from sqlalchemy import delete

from homeport.eventlog import Unit
from homeport.eventlog.catalogue.factor import (
    FactorMethod,
    RecoveryCodesCreated,
    SecondFactorRefused,
    SecondFactorsReset,
    TotpEnabled,
    TotpRemoved,
)
from homeport.identity.access import Caller
from homeport.identity.factors.errors import (
    CodeRefused,
    NoSecondFactor,
    TotpNotFound,
    TotpSetupNotFound,
)
from homeport.identity.factors.proof import ShownCode, methods_of
from homeport.identity.factors.recovery import COUNT, remove_codes, replace_codes
from homeport.identity.factors.step_up import mark_verified
from homeport.identity.factors.totp import Totp, find_setup, has_totp, remove_totp
from homeport.identity.passkeys.models import Passkey
from homeport.identity.passkeys.service import list_passkeys
from homeport.identity.service.devices import revoke_devices
from homeport.kernel import clock

_REASON: Final = "factors-changed"


async def enable_totp(
    unit: Unit, totp: Totp, *, caller: Caller, shown: ShownCode, address: str | None
) -> list[str] | CodeRefused | None:
    """Makes the authenticator app count from now on; see `factor_added` for what it returns.

    A code that the app does not show is recorded: that refusal is returned, to be committed.

    Raises:
        TotpSetupNotFound: None waits to be confirmed.
    """
    now = clock.utc_now()
    setup = await find_setup(unit.session, caller.user_id, now=now)
    if setup is None:
        raise TotpSetupNotFound
    stream = f"account:{caller.user_id}"
    if not await totp.confirm(unit.session, setup, code=shown.code, now=now):
        refused = SecondFactorRefused(method="totp", purpose=shown.purpose, address=address)
        unit.append(stream, refused, actor="system")
        return CodeRefused("Is the phone's clock right? Codes change every 30 seconds.")
    await shown.guess.succeeded(unit.session)
    unit.append(stream, TotpEnabled(), actor=caller.actor)
    return await factor_added(unit, caller=caller)


async def disable_totp(unit: Unit, *, caller: Caller) -> None:
    """Removes the authenticator app, and the recovery codes when nothing is left to stand in for.

    Raises:
        TotpNotFound: There is none.
    """
    if not await remove_totp(unit.session, caller.user_id):
        raise TotpNotFound
    unit.append(f"account:{caller.user_id}", TotpRemoved(), actor=caller.actor)
    await factor_removed(unit, caller=caller)


async def factor_added(unit: Unit, *, caller: Caller) -> list[str] | None:
    """After a factor was added: with the first one come recovery codes, and the others go.

    Returns:
        The codes; None where there was a factor before, whose codes stay as they are.
    """
    factors = len(await list_passkeys(unit.session, caller.user_id))
    if factors + await has_totp(unit.session, caller.user_id) > 1:
        return None
    if caller.device_id is not None:
        await mark_verified(unit.session, caller.device_id, now=clock.utc_now())
    await _end_others(unit, caller)
    return await new_codes(unit, caller=caller)


async def factor_removed(unit: Unit, *, caller: Caller) -> None:
    """Ends the other sign-ins, and the recovery codes when nothing is left to stand in for."""
    if not await methods_of(unit.session, caller.user_id):
        await remove_codes(unit.session, caller.user_id)
    await _end_others(unit, caller)


async def new_codes(unit: Unit, *, caller: Caller) -> list[str]:
    """Ten recovery codes in the place of those from before.

    Raises:
        NoSecondFactor: They would stand in for nothing.
    """
    if not await methods_of(unit.session, caller.user_id):
        raise NoSecondFactor
    codes = await replace_codes(unit.session, caller.user_id)
    created = RecoveryCodesCreated(count=COUNT)
    unit.append(f"account:{caller.user_id}", created, actor=caller.actor)
    return codes


async def reset_factors(unit: Unit, *, user_id: str, actor: str) -> list[FactorMethod]:
    """Removes every second factor of `user_id` and ends their sign-ins; returns what there was."""
    methods = await methods_of(unit.session, user_id)
    if not methods:
        return methods
    await remove_totp(unit.session, user_id)
    await unit.session.execute(delete(Passkey).where(Passkey.user_id == user_id))
    await remove_codes(unit.session, user_id)
    unit.append(f"account:{user_id}", SecondFactorsReset(methods=methods), actor=actor)
    await revoke_devices(unit, user_id=user_id, reason=_REASON, actor=actor)
    return methods


async def _end_others(unit: Unit, caller: Caller) -> None:
    await revoke_devices(
        unit, user_id=caller.user_id, reason=_REASON, actor=caller.actor, keep=caller.device_id
    )
