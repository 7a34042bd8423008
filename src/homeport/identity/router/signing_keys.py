"""Keys with which people sign requests (RFC 9421): listed, added with a proof, deleted."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request

from homeport.identity.access import SignedIn
from homeport.identity.router.provided import AccountOwner, Log, Signed
from homeport.identity.service.accounts import account_stream
from homeport.identity.signatures.errors import RequestKeyNotFound
from homeport.identity.signatures.keys import (
    add_request_key,
    list_request_keys,
    remove_request_key,
)
from homeport.identity.signatures.schemas import SigningKeyBody, SigningKeyList, SigningKeyView
from homeport.kernel.ids import is_id

router = APIRouter(prefix="/v1/auth/signing-keys", tags=["authentication"])


@router.get("")
async def read_signing_keys(caller: SignedIn, log: Log) -> SigningKeyList:
    """The caller's keys, the newest first."""
    async with log.database.read() as session:
        rows = await list_request_keys(session, caller.user_id)
    return SigningKeyList(signing_keys=[SigningKeyView.of(row) for row in rows], total=len(rows))


@router.post("", status_code=201)
async def add_signing_key(
    request: Request, body: SigningKeyBody, caller: AccountOwner, log: Log, signatures: Signed
) -> SigningKeyView:
    """Adds a key; the request is signed with it, which proves that the caller holds it."""
    await signatures.prove(request, caller, body.public_key.raw)
    async with log.unit(account_stream(caller.user_id)) as unit:
        key = await add_request_key(
            unit, user_id=caller.user_id, name=body.name, public_key=body.public_key.raw
        )
    return SigningKeyView.of(key)


@router.delete("/{signing_key_id}", status_code=204)
async def delete_signing_key(signing_key_id: str, caller: AccountOwner, log: Log) -> None:
    """Deletes one of the caller's keys; what it signs is refused from then on."""
    if not is_id(signing_key_id):
        raise RequestKeyNotFound
    async with log.unit(account_stream(caller.user_id)) as unit:
        removed = await remove_request_key(
            unit, user_id=caller.user_id, key_id=signing_key_id, actor=caller.actor
        )
    if not removed:
        raise RequestKeyNotFound
