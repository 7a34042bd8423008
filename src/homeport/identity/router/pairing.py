"""Pairing (RFC 8628): a device asks, somebody signed in lets it in, it fetches its tokens."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse

from homeport.identity.opaque import hashed
from homeport.identity.pairing.codes import read_user_code
from homeport.identity.pairing.errors import (
    NotPaired,
    PairingDenied,
    PairingOver,
    PairingPending,
)
from homeport.identity.pairing.schemas import (
    AuthorizeBody,
    AuthorizeView,
    DecidedView,
    DecisionBody,
    DeviceTokenBody,
    PairingView,
    UserCodeBody,
)
from homeport.identity.pairing.service import (
    INTERVAL_S,
    LIFETIME,
    Approver,
    ask,
    decide,
    get_waiting,
    let_in,
    poll,
)
from homeport.identity.router.form_body import described, json_or_form
from homeport.identity.router.pages import pair_page
from homeport.identity.router.provided import (
    DeviceOwner,
    GuardingPairings,
    Log,
    Mint,
    OwnDevices,
    Public,
    Ring,
)
from homeport.identity.schemas import TokenView
from homeport.identity.service.accounts import account_stream
from homeport.identity.service.sign_in import narrowed
from homeport.identity.visit import VisitOf
from homeport.kernel.http.documents import MEDIA_TYPE
from homeport.kernel.http.errors import error_document
from homeport.kernel.http.middleware.rates import count_nobody, count_token

router = APIRouter(tags=["pairing"])


async def _authorize_body(request: Request) -> AuthorizeBody:
    return await json_or_form(request, json=AuthorizeBody, form=AuthorizeBody)


async def _token_body(request: Request) -> DeviceTokenBody:
    return await json_or_form(request, json=DeviceTokenBody, form=DeviceTokenBody)


@router.post("/v1/auth/device/authorize", openapi_extra=described(AuthorizeBody, AuthorizeBody))
async def authorize(
    body: Annotated[AuthorizeBody, Depends(_authorize_body)],
    request: Request,
    log: Log,
    ring: Ring,
    public: Public,
    visit: VisitOf,
) -> AuthorizeView:
    """Begins: the device shows `user_code` and asks `device/token` until somebody has decided."""
    scopes = narrowed(body.scope)
    async with log.database.write() as session:
        codes = await ask(session, ring, name=body.client_id or None, scopes=scopes, visit=visit)
    address = f"{public.url or str(request.base_url).rstrip('/')}/pair"
    return AuthorizeView(
        device_code=codes.device_code,
        user_code=codes.user_code,
        verification_uri=address,
        verification_uri_complete=f"{address}?user_code={codes.user_code}",
        expires_in=int(LIFETIME.total_seconds()),
        interval=INTERVAL_S,
    )


@router.post("/v1/auth/device/lookup")
async def look_up(
    body: UserCodeBody,
    caller: OwnDevices,
    guard: GuardingPairings,
    log: Log,
    ring: Ring,
    visit: VisitOf,
) -> PairingView:
    """Which device shows this code: what to compare before it is let in."""
    guess = await guard.admit(subject=caller.user_id, address=visit.address)
    async with log.database.read() as session:
        asked = await get_waiting(session, ring, read_user_code(body.user_code))
    await guess.succeeded()
    return PairingView.of(asked)


@router.post("/v1/auth/device/approve")
async def approve(
    body: DecisionBody,
    *,
    caller: DeviceOwner,
    guard: GuardingPairings,
    log: Log,
    ring: Ring,
    visit: VisitOf,
) -> DecidedView:
    """Lets the device that shows this code into the caller's account, or not (`deny`)."""
    guess = await guard.admit(subject=caller.user_id, address=visit.address)
    approver = Approver(caller.user_id, caller.actor, scopes=caller.scopes)
    async with log.unit(account_stream(caller.user_id)) as unit:
        asked = await get_waiting(unit.session, ring, read_user_code(body.user_code))
        await decide(unit, asked, approver, body.decision)
        await guess.succeeded(unit.session)
    return DecidedView(**PairingView.of(asked).model_dump(), decision=body.decision)


@router.post(
    "/v1/auth/device/token",
    response_model=TokenView,
    openapi_extra=described(DeviceTokenBody, DeviceTokenBody),
)
async def fetch_tokens(
    body: Annotated[DeviceTokenBody, Depends(_token_body)],
    request: Request,
    log: Log,
    mint: Mint,
    visit: VisitOf,
) -> TokenView | Response:
    """The tokens, once; until then 400 with the word of RFC 8628 section 3.5 in `error`."""
    await count_token(request.scope, hashed(body.device_code).hex())
    async with log.database.write() as session:
        asked = await poll(session, body.device_code)
    if isinstance(asked, PairingOver):
        await count_nobody(request.scope)  # a code that was never given looks the same
    if isinstance(asked, NotPaired):
        return _refusal(asked, request)
    if asked.status == "denied":
        return _refusal(PairingDenied(), request)
    if asked.status != "approved" or asked.user_id is None:
        return _refusal(PairingPending(), request)
    try:
        async with log.unit(account_stream(asked.user_id)) as unit:
            return TokenView.of(await let_in(unit, mint, asked, visit=visit))
    except NotPaired as refusal:
        return _refusal(refusal, request)


@router.get("/pair", response_class=HTMLResponse)
async def show_page(
    public: Public,
    request: Request,
    user_code: Annotated[str, Query(max_length=32)] = "",
) -> HTMLResponse:
    """For people who follow the address that a device, or `homeport pair`, shows."""
    address = public.url or str(request.base_url).rstrip("/")
    return pair_page(address=address, user_code=read_user_code(user_code))


def _refusal(refusal: NotPaired, request: Request) -> JSONResponse:
    """The error document, with `error` as OAuth 2 has it (RFC 6749 section 5.2)."""
    document = error_document(refusal, request.scope)
    document |= {"error": refusal.oauth, "error_description": refusal.detail}
    return JSONResponse(document, status_code=document["status"], media_type=MEDIA_TYPE)
