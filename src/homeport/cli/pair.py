"""`homeport pair`: signs a phone in without a password, from the server's own machine.

The QR code holds an address and no secret. The phone shows a code; whoever sits at the terminal
types it, sees which device asks, and says yes.
"""

from __future__ import annotations

import json
import sys
from urllib.parse import urlsplit

import segno
import typer

from homeport.cli.database import ACTOR, opened_log, run
from homeport.cli.inert import inert
from homeport.cli.settings import read_settings
from homeport.eventlog import EventLog
from homeport.identity.errors import AccountDisabled
from homeport.identity.pairing.codes import read_user_code
from homeport.identity.pairing.models import Pairing
from homeport.identity.pairing.service import Approver, Decision, decide, get_waiting
from homeport.identity.repository import get_named_account
from homeport.identity.service.accounts import account_stream
from homeport.kernel import clock
from homeport.settings import Settings
from homeport.wiring.secret import keyring_of

ANY_ADDRESS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not bound
ONLY_HERE = frozenset({"localhost", "127.0.0.1", "::1"})


def pair_device(*, code: str | None, name: str, url: str | None, yes: bool, as_json: bool) -> None:
    """Shows where to go if there is no code yet, then lets the device in that shows it."""
    settings = read_settings()
    if code is None:
        show_way(f"{address_of(settings, url)}/pair")
    typed: str = code or typer.prompt("Code that the phone shows", err=True)
    user_code = read_user_code(typed)
    asked = run(_look_up(settings, user_code))
    decision: Decision = "approve"
    if not yes:
        line = f"{asked.device_name}, from {asked.address}, since {clock.rfc3339(asked.created_at)}"
        print(inert(line), file=sys.stderr)
        if not typer.confirm(f"Let it into the account {name}?", err=True):
            decision = "deny"
    run(_decide(settings, user_code, name=name, decision=decision))
    if as_json:
        told = {"username": name, "device_name": asked.device_name, "address": asked.address}
        print(json.dumps({**told, "decision": decision}))
    elif decision == "approve":
        print(f"It is signed in as {name} within five seconds; it stands among the devices.")
    else:
        print("It was not let in.")


def show_way(address: str) -> None:
    """Draws the address for a camera, and says what to do; on stderr, as stdout is the result."""
    segno.make_qr(address, error="m").terminal(out=sys.stderr, compact=True)
    print(f"Scan this, or give your phone's app the address {address}", file=sys.stderr)
    if (urlsplit(address).hostname or "") in ONLY_HERE:
        print(
            "Only this machine reaches that address: set HOST and PUBLIC_URL, or pass --url.",
            file=sys.stderr,
        )


def address_of(settings: Settings, url: str | None) -> str:
    """Where a phone reaches the server, as far as the settings tell."""
    if url or settings.public_url:
        return (url or settings.public_url or "").rstrip("/")
    host = "127.0.0.1" if settings.host in ANY_ADDRESS else settings.host
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


async def _look_up(settings: Settings, user_code: str | None) -> Pairing:
    async with opened_log(settings) as log, log.database.read() as session:
        return await get_waiting(session, keyring_of(settings), user_code)


async def _decide(
    settings: Settings, user_code: str | None, *, name: str, decision: Decision
) -> None:
    keyring = keyring_of(settings)
    async with opened_log(settings) as log:
        user_id = await _active(log, name)
        async with log.unit(account_stream(user_id)) as unit:
            asked = await get_waiting(unit.session, keyring, user_code)
            await decide(unit, asked, Approver(user_id, ACTOR), decision)


async def _active(log: EventLog, name: str) -> str:
    async with log.database.read() as session:
        user = await get_named_account(session, name)
    if not user.is_active:
        raise AccountDisabled
    return user.id
