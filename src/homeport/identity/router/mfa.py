"""Second factors: completing a sign-in, stepping up, authenticator apps and recovery codes."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter
from starlette.requests import Request

from homeport.identity.access import SignedIn
from homeport.identity.factors import pending
from homeport.identity.factors.errors import (
    CodeRefused,
    DeviceRequired,
    NoSecondFactor,
    PendingSignInRefused,
)
from homeport.identity.factors.manage import disable_totp, enable_totp, new_codes
from homeport.identity.factors.proof import ShownCode, methods_of, prove_code, prove_passkey
from homeport.identity.factors.recovery import count_codes
from homeport.identity.factors.schemas import (
    ConfirmBody,
    FactorsView,
    RecoveryCodesView,
    SecondFactorBody,
    StepUpBody,
    TotpConfirmedView,
    TotpSetupView,
    VerifiedUntilView,
)
from homeport.identity.factors.sign_in import complete_pending
from homeport.identity.factors.step_up import RECENT, mark_verified, verified_at
from homeport.identity.passkeys.errors import PasskeyRefused
from homeport.identity.passkeys.schemas import PasskeyStepUpBody
from homeport.identity.passkeys.service import proven
from homeport.identity.refresh_cookie import HandOver
from homeport.identity.router.place import Port
from homeport.identity.router.provided import (
    AccountOwner,
    Apps,
    FactorOwner,
    GuardingCodes,
    Live,
    Log,
    Mint,
    Party,
)
from homeport.identity.schemas import SignInView, UserView
from homeport.identity.service.accounts import account_stream
from homeport.identity.service.sign_in import SignedInAs
from homeport.identity.visit import VisitOf
from homeport.identity.whose import concern
from homeport.kernel import clock

router = APIRouter(prefix="/v1/auth/mfa", tags=["second factors"])


@router.get("")
async def read_factors(caller: SignedIn, log: Log) -> FactorsView:
    """The second factors of the caller's account."""
    async with log.database.read() as session:
        methods = await methods_of(session, caller.user_id)
        shown_at = await verified_at(session, caller.device_id)
        return FactorsView(
            enabled=bool(methods),
            methods=methods,
            recovery_codes_left=await count_codes(session, caller.user_id),
            verified_until=None if shown_at is None else shown_at + RECENT,
        )


@router.post("/verify")
async def verify(
    body: SecondFactorBody,
    request: Request,
    *,
    guard: GuardingCodes,
    log: Log,
    mint: Mint,
    apps: Apps,
    visit: VisitOf,
    hand: HandOver,
) -> SignInView:
    """Completes a sign-in that was answered with `auth.mfa-required`."""
    async with log.database.read() as session:
        begun = await pending.find(session, body.mfa_token, now=clock.utc_now())
    if begun is None:
        raise PendingSignInRefused
    concern(request.scope, begun.user_id)
    guess = await guard.admit(subject=begun.user_id, address=visit.address)
    shown = ShownCode(body.method, body.code, "sign-in", guess)
    async with log.unit(account_stream(begun.user_id)) as unit:
        outcome = await complete_pending(unit, mint, apps, begun, shown=shown, visit=visit)
    if not isinstance(outcome, SignedInAs):
        raise outcome
    return SignInView(**hand.over(outcome.tokens).model_dump(), user=UserView.of(outcome.user))


@router.post("/step-up")
async def step_up(
    body: StepUpBody | PasskeyStepUpBody,
    request: Request,
    *,
    caller: SignedIn,
    guard: GuardingCodes,
    log: Log,
    apps: Apps,
    party: Party,
    port: Port,
    visit: VisitOf,
) -> VerifiedUntilView:
    """Shows a second factor once more: opens critical actions to this device for five minutes."""
    if (device_id := caller.device_id) is None:
        raise DeviceRequired
    async with log.database.read() as session:
        if not await methods_of(session, caller.user_id):
            raise NoSecondFactor
    if isinstance(body, PasskeyStepUpBody):
        passkey, count = await proven(log, party, body.credential, port=port, scope=request.scope)
        if passkey.user_id != caller.user_id:
            raise PasskeyRefused
        prove = partial(prove_passkey, passkey=passkey, count=count)
    else:
        guess = await guard.admit(subject=caller.user_id, address=visit.address)
        shown = ShownCode(body.method, body.code, "step-up", guess)
        prove = partial(prove_code, totp=apps, shown=shown, user_id=caller.user_id)
    now = clock.utc_now()
    async with log.unit(account_stream(caller.user_id)) as unit:
        right = await prove(unit, address=visit.address, device_id=device_id)
        if right:
            await mark_verified(unit.session, device_id, now=now)
    if not right:
        raise CodeRefused
    return VerifiedUntilView(verified_until=now + RECENT)


@router.post("/totp", status_code=201)
async def begin_totp(caller: FactorOwner, log: Log, apps: Apps) -> TotpSetupView:
    """Makes a seed for an authenticator app; it counts once it is confirmed with a code."""
    async with log.unit(account_stream(caller.user_id)) as unit:
        setup = await apps.begin(
            unit.session, user_id=caller.user_id, username=caller.username, now=clock.utc_now()
        )
    return TotpSetupView.of(setup)


@router.post("/totp/confirm")
async def confirm_totp(
    body: ConfirmBody,
    *,
    caller: FactorOwner,
    guard: GuardingCodes,
    log: Log,
    live: Live,
    apps: Apps,
    visit: VisitOf,
) -> TotpConfirmedView:
    """Confirms the app with its code; the first second factor signs every other device out."""
    guess = await guard.admit(subject=caller.user_id, address=visit.address)
    async with log.unit(account_stream(caller.user_id)) as unit:
        shown = ShownCode("totp", body.code, "setup", guess)
        codes = await enable_totp(unit, apps, caller=caller, shown=shown, address=visit.address)
    if isinstance(codes, CodeRefused):
        raise codes
    live.forget_user(caller.user_id)
    return TotpConfirmedView(recovery_codes=codes)


@router.delete("/totp", status_code=204)
async def remove_totp(caller: AccountOwner, log: Log, live: Live) -> None:
    """Removes the authenticator app and signs every other device out."""
    async with log.unit(account_stream(caller.user_id)) as unit:
        await disable_totp(unit, caller=caller)
    live.forget_user(caller.user_id)


@router.post("/recovery-codes", status_code=201)
async def make_recovery_codes(caller: FactorOwner, log: Log) -> RecoveryCodesView:
    """Makes new recovery codes; those from before end."""
    async with log.unit(account_stream(caller.user_id)) as unit:
        return RecoveryCodesView(recovery_codes=await new_codes(unit, caller=caller))
