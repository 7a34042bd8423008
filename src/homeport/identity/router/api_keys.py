"""API keys: listed without the key, made and shown once, revoked."""

from __future__ import annotations

from fastapi import APIRouter

from homeport.identity.access import SignedIn
from homeport.identity.errors import KeyNotFound
from homeport.identity.repository import page_of_keys
from homeport.identity.router.provided import AccountOwner, Live, Log
from homeport.identity.schemas import KeyBody, KeyPage, KeyView, NewKeyView
from homeport.identity.service.accounts import account_stream
from homeport.identity.service.api_keys import (
    create_key,
    granted_expiry,
    granted_scopes,
    revoke_key,
)
from homeport.kernel import clock
from homeport.kernel.http.pagination import Paging
from homeport.kernel.ids import is_id

router = APIRouter(prefix="/v1/auth/api-keys", tags=["authentication"])


@router.get("")
async def read_keys(caller: SignedIn, paging: Paging, log: Log) -> KeyPage:
    """The caller's live keys, the newest first."""
    now = clock.utc_now()
    async with log.database.read() as session:
        page = await page_of_keys(session, caller.user_id, paging, now=now)
    return KeyPage(api_keys=[KeyView.of(row) for row in page.items], **page.fields())


@router.post("", status_code=201)
async def make_key(body: KeyBody, caller: AccountOwner, log: Log) -> NewKeyView:
    """Makes a key; `api_key` is shown this once."""
    scopes = granted_scopes(body.scopes, caller=caller)
    expires_at = granted_expiry(body.expires_at, caller=caller)
    async with log.unit(account_stream(caller.user_id)) as unit:
        key, text = await create_key(
            unit,
            user_id=caller.user_id,
            name=body.name,
            scopes=scopes,
            expires_at=expires_at,
            actor=caller.actor,
            signed_only=body.signed_only or caller.signed_only,  # never a weaker one
        )
    return NewKeyView.made(key, text=text)


@router.delete("/{key_id}", status_code=204)
async def end_key(key_id: str, caller: AccountOwner, log: Log, live: Live) -> None:
    """Revokes one of the caller's keys."""
    if not is_id(key_id):
        raise KeyNotFound
    async with log.unit(account_stream(caller.user_id)) as unit:
        ended = await revoke_key(unit, user_id=caller.user_id, key_id=key_id, actor=caller.actor)
    if not ended:
        raise KeyNotFound
    live.forget_user(caller.user_id)
