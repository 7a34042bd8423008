"""Passkeys: registered where one is signed in, and a way to sign in by themselves."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request

from homeport.identity.access import SignedIn
from homeport.identity.errors import AccountDisabled
from homeport.identity.factors.manage import factor_added, factor_removed
from homeport.identity.passkeys.ceremony import (
    library_loaded,
    login_challenge,
    registration_challenge,
)
from homeport.identity.passkeys.errors import PasskeyNotFound, PasskeyRefused
from homeport.identity.passkeys.schemas import (
    LoginPasskeyBody,
    NewPasskeyView,
    PasskeyOptionsView,
    PasskeysView,
    PasskeyView,
    RegisterPasskeyBody,
)
from homeport.identity.passkeys.service import (
    add_passkey,
    list_passkeys,
    made_by,
    note_use,
    proven,
    remove_passkey,
)
from homeport.identity.refresh_cookie import HandOver
from homeport.identity.repository import get_account
from homeport.identity.router.place import Port
from homeport.identity.router.provided import AccountOwner, FactorOwner, Live, Log, Mint, Party
from homeport.identity.schemas import SignInView, UserView
from homeport.identity.service.accounts import account_stream
from homeport.identity.service.devices import open_device
from homeport.identity.visit import VisitOf
from homeport.kernel.ids import is_id

router = APIRouter(prefix="/v1/auth/passkeys", tags=["second factors"])


@router.get("")
async def read_passkeys(caller: SignedIn, log: Log) -> PasskeysView:
    """The caller's passkeys."""
    async with log.database.read() as session:
        rows = await list_passkeys(session, caller.user_id)
    return PasskeysView(passkeys=[PasskeyView.of(row) for row in rows], total=len(rows))


@router.post("/register/options")
async def begin_registration(caller: FactorOwner, log: Log, party: Party) -> PasskeyOptionsView:
    """What the browser is asked to make a passkey with; good for five minutes."""
    await library_loaded()
    from homeport.identity.passkeys.library import registration_options

    async with log.database.write() as session:
        challenge = await registration_challenge(session, user_id=caller.user_id)
        known = [row.credential_id for row in await list_passkeys(session, caller.user_id)]
    return PasskeyOptionsView(
        publicKey=registration_options(
            party, challenge, user_id=caller.user_id, username=caller.username, known=known
        )
    )


@router.post("/register/verify", status_code=201)
async def finish_registration(
    body: RegisterPasskeyBody,
    *,
    caller: FactorOwner,
    log: Log,
    live: Live,
    party: Party,
    port: Port,
) -> NewPasskeyView:
    """Registers the passkey; the first second factor signs every other device out."""
    made = await made_by(log, party, body.credential, caller=caller, port=port)
    async with log.unit(account_stream(caller.user_id)) as unit:
        passkey = await add_passkey(unit, caller=caller, made=made, name=body.name)
        codes = await factor_added(unit, caller=caller)
    live.forget_user(caller.user_id)
    return NewPasskeyView(**PasskeyView.of(passkey).model_dump(), recovery_codes=codes)


@router.post("/login/options")
async def begin_login(log: Log, party: Party, visit: VisitOf) -> PasskeyOptionsView:
    """What the browser is asked to sign; the same for everybody, good for five minutes."""
    await library_loaded()
    from homeport.identity.passkeys.library import login_options

    async with log.database.write() as session:
        challenge = await login_challenge(session, network=visit.network)
    return PasskeyOptionsView(publicKey=login_options(party, challenge))


@router.post("/login/verify")
async def finish_login(
    body: LoginPasskeyBody,
    request: Request,
    *,
    log: Log,
    mint: Mint,
    party: Party,
    port: Port,
    visit: VisitOf,
    hand: HandOver,
) -> SignInView:
    """Signs in: a passkey that has verified its owner is both factors."""
    passkey, count = await proven(log, party, body.credential, port=port, scope=request.scope)
    async with log.unit(account_stream(passkey.user_id)) as unit:
        user = await get_account(unit.session, passkey.user_id)
        if not user.is_active:
            raise AccountDisabled
        pair = None
        if await note_use(unit, passkey, count=count, address=visit.address):
            pair = await open_device(
                unit, mint, user=user, visit=visit, method="passkey", scopes=None, verified=True
            )
    if pair is None:
        raise PasskeyRefused
    return SignInView(**hand.over(pair).model_dump(), user=UserView.of(user))


@router.delete("/{passkey_id}", status_code=204)
async def end_passkey(passkey_id: str, caller: AccountOwner, log: Log, live: Live) -> None:
    """Removes one of the caller's passkeys and signs every other device out."""
    if not is_id(passkey_id):
        raise PasskeyNotFound
    async with log.unit(account_stream(caller.user_id)) as unit:
        await remove_passkey(unit, caller=caller, passkey_id=passkey_id)
        await factor_removed(unit, caller=caller)
    live.forget_user(caller.user_id)
