"""Staying and going: refresh, sign out, and the question whether a token still holds."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body
from starlette.requests import Request
from starlette.types import Scope

from homeport.identity.access import Caller, SignedIn
from homeport.identity.errors import CredentialRefused, RefreshRefused
from homeport.identity.models import Device
from homeport.identity.opaque import ParsedRefresh, parse_refresh
from homeport.identity.refresh_cookie import CookieToken, Handing
from homeport.identity.repository import find_refresh, get_account
from homeport.identity.router.provided import Cookies, Live, Log, Mint, Signed
from homeport.identity.schemas import (
    CSRFView,
    DoneView,
    LogoutBody,
    RefreshBody,
    TokenView,
    VerifiedView,
    VerifyBody,
)
from homeport.identity.service.accounts import account_stream
from homeport.identity.service.devices import revoke_device, revoke_devices
from homeport.identity.service.refresh import rotate
from homeport.identity.visit import VisitOf
from homeport.identity.whose import concern, shows
from homeport.kernel.http.middleware.rates import count_nobody, count_token

router = APIRouter(prefix="/v1/auth", tags=["authentication"])


@router.get("/csrf")
async def read_csrf_token(request: Request, text: CookieToken, log: Log, keep: Cookies) -> CSRFView:
    """What a page of this server sends as `X-CSRF-Token` when it refreshes by its cookie."""
    keep.check_page(request.scope)
    _, device = await _issued(log, text, request.scope)
    return CSRFView(csrf_token=keep.csrf_token(device.id))


@router.post("/refresh")
async def refresh(
    request: Request,
    cookie: CookieToken,
    *,
    log: Log,
    mint: Mint,
    live: Live,
    keep: Cookies,
    visit: VisitOf,
    body: RefreshBody | None = None,
) -> TokenView:
    """Gives a fresh token pair for a refresh token, which is thereby spent.

    A page of this server sends no body: its cookie has the token and gets the next one.
    """
    given = None if body is None else body.refresh_token
    presented, device = await _issued(log, given or cookie, request.scope, counted=True)
    if given is None:
        keep.check_token(request.scope, device.id)
    user_id = device.user_id
    async with log.unit(account_stream(user_id)) as unit:
        pair = await rotate(
            unit, mint, user_id=user_id, token_id=presented.token_id, address=visit.address
        )
    if pair is None:
        live.forget_user(user_id)
        raise RefreshRefused
    return Handing(request.scope, keep if given is None else None).over(pair)


@router.post("/logout")
async def logout(
    request: Request,
    caller: SignedIn,
    *,
    log: Log,
    live: Live,
    keep: Cookies,
    body: Annotated[LogoutBody | str | None, Body()] = None,
) -> DoneView:
    """Signs out: the caller's own device, and the one that a given refresh token belongs to."""
    text = body.refresh_token if isinstance(body, LogoutBody) else body
    ending = {
        device
        for device in (caller.device_id, await _own_device(log, caller, text, request.scope))
        if device
    }
    async with log.unit(account_stream(caller.user_id)) as unit:
        for device_id in sorted(ending):
            await revoke_device(
                unit,
                user_id=caller.user_id,
                device_id=device_id,
                reason="logout",
                actor=caller.actor,
            )
    live.forget_user(caller.user_id)
    keep.drop_from(request.scope)
    return DoneView(message="Signed out." if ending else "No device was signed in.")


@router.post("/logout-all")
async def logout_all(
    request: Request, caller: SignedIn, log: Log, live: Live, signatures: Signed
) -> DoneView:
    """Signs every device of the caller out, the one that asks too; API keys stay."""
    if caller.device_id is None:  # a key outlasts it: whoever stole one could do it for ever
        await signatures.require_of_critical(request, caller)
    async with log.unit(account_stream(caller.user_id)) as unit:
        count = await revoke_devices(
            unit, user_id=caller.user_id, reason="logout-all", actor=caller.actor
        )
    live.forget_user(caller.user_id)
    return DoneView(message=f"Signed out: {count}.")


@router.post("/verify-token", response_model_exclude_none=True)
async def verify_token(
    caller: SignedIn, log: Log, live: Live, body: VerifyBody | None = None
) -> VerifiedView:
    """Tells whether a token of the caller's own holds; of anybody else's it says no."""
    subject = caller
    if body is not None and body.token is not None:
        try:
            subject = await live.identify(body.token, keys_only=False)
        except CredentialRefused:
            return VerifiedView(valid=False)
        if subject.user_id != caller.user_id:
            return VerifiedView(valid=False)
    async with log.database.read() as session:
        user = await get_account(session, caller.user_id)
    return VerifiedView(
        valid=True,
        expires_at=subject.expires_at,
        user_id=user.id,
        email=user.email,
        username=user.username,
        roles=sorted(subject.roles),
        scopes=None if subject.scopes is None else sorted(subject.scopes),
    )


async def _issued(
    log: Log, text: str | None, scope: Scope, *, counted: bool = False
) -> tuple[ParsedRefresh, Device]:
    """A refresh token that this server has issued, in whatever state, and its device.

    Args:
        scope: The request that shows it; what is refused of it concerns the device's owner.
        counted: It uses the token, which has a limit of its own; one that was never issued counts
            as nobody's.

    Raises:
        RefreshRefused: It is none, or there is none.
        RateLimited: It is used too often, or there were too many that never were.
    """
    presented = None if text is None else parse_refresh(text)
    if presented is not None:
        if counted:
            await count_token(scope, presented.token_id)
        async with log.database.read() as session:
            found = await find_refresh(session, presented.token_id, presented.secret_hash)
        if found is not None:
            concern(scope, found[1].user_id, device_id=found[1].id)
            return presented, found[1]
    if text is not None:
        shows(scope, text)
    if counted:
        await count_nobody(scope)
    raise RefreshRefused


async def _own_device(log: Log, caller: Caller, text: str | None, scope: Scope) -> str | None:
    """The caller's device that a refresh token belongs to; a foreign one ends nothing."""
    if text is None:
        return None
    try:
        _, device = await _issued(log, text, scope)
    except RefreshRefused:
        return None
    return device.id if device.user_id == caller.user_id else None
