"""The one-time link: a plain form that sets a password, on the machine that the server runs on."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Any, Final

from fastapi import APIRouter, Form, Query
from starlette.requests import Request
from starlette.responses import HTMLResponse

from homeport.eventlog import EventLog
from homeport.identity.errors import NotFromHere, SetupLinkSpent, WeakPassword
from homeport.identity.models import SetupLink, User
from homeport.identity.opaque import hashed
from homeport.identity.repository import find_setup_link, get_account
from homeport.identity.router.pages import done_page, form_page, refusal_page
from homeport.identity.router.provided import Hashing, Live, Log
from homeport.identity.schemas import SetupForm
from homeport.identity.service.accounts import account_stream
from homeport.identity.service.passwords import use_setup_link
from homeport.kernel import clock
from homeport.kernel.command import this_command

router = APIRouter(tags=["setup"])

Token = Annotated[str, Query(max_length=200)]
_FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
_HTML: Final[dict[str, Any]] = {"content": {"text/html": {}}, "description": "A page for people"}


@router.get("/setup", response_class=HTMLResponse, responses={403: _HTML, 410: _HTML})
async def show_form(request: Request, log: Log, token: Token = "") -> HTMLResponse:
    """The form, if the link is good."""
    try:
        _refuse_elsewhere(request)
        _, user = await _opened(log, token)
    except (NotFromHere, SetupLinkSpent) as refusal:
        return refusal_page(refusal)
    return form_page(username=user.username, token=token)


@router.post("/setup", response_class=HTMLResponse, responses={403: _HTML, 410: _HTML, 422: _HTML})
async def set_password(
    request: Request, log: Log, passwords: Hashing, live: Live, form: Annotated[SetupForm, Form()]
) -> HTMLResponse:
    """Sets the password and uses the link up; a refused password leaves it good."""
    try:
        _refuse_elsewhere(request)
        link, user = await _opened(log, form.token)
    except (NotFromHere, SetupLinkSpent) as refusal:
        return refusal_page(refusal)
    if form.password != form.repeated:
        return form_page(
            username=user.username, token=form.token, fault="The two passwords differ."
        )
    try:
        new_hash = await passwords.hash_new(
            form.password, context=(user.username, user.email.partition("@")[0])
        )
    except WeakPassword as refusal:
        return form_page(username=user.username, token=form.token, fault=refusal.detail)
    async with log.unit(account_stream(user.id)) as unit:
        used = await use_setup_link(unit, user_id=user.id, link_id=link.id, new_hash=new_hash)
    if not used:
        return refusal_page(SetupLinkSpent())
    live.forget_user(user.id)
    return done_page(username=user.username)


async def _opened(log: EventLog, token: str) -> tuple[SetupLink, User]:
    """The good link behind `token`, and whose it is.

    Raises:
        SetupLinkSpent: It is unknown, used or too old.
    """
    async with log.database.read() as session:
        link = await find_setup_link(session, hashed(token), now=clock.utc_now())
        user = None if link is None else await get_account(session, link.user_id)
        if link is None or user is None or user.deleted_at is not None:
            raise SetupLinkSpent(f"Make a new one on that machine: {this_command()} user reset")
        return link, user


def _refuse_elsewhere(request: Request) -> None:
    """Lets through what comes straight from this machine, under a name of this machine.

    A proxy on this machine speaks for others, and a foreign Host is a page that rebinds its name.

    Raises:
        NotFromHere: It comes from elsewhere, or may.
    """
    client = request.client
    direct = client is not None and _is_loopback(client.host)
    if not direct or any(name in request.headers for name in _FORWARDED):
        raise NotFromHere
    if not _is_loopback(request.url.hostname or ""):
        raise NotFromHere


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
