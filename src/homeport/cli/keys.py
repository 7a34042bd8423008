"""`homeport keys`: the keys that sign access tokens, with the server running or stopped.

The commands write to the database; every running server looks there every two seconds.
"""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Any

import typer

from homeport.cli.database import ACTOR, opened_log, run
from homeport.cli.settings import read_settings
from homeport.identity.models import SigningKey
from homeport.identity.repository import list_signing_keys
from homeport.identity.service.signing_keys import (
    LEAD,
    SETTLING,
    hasten_next,
    new_private_key,
    publish_next,
    withdraw_key,
)
from homeport.kernel import clock
from homeport.settings import Settings
from homeport.wiring.secret import keyring_of

app = typer.Typer(
    help="Keys of access tokens: list, rotate.", no_args_is_help=True, add_completion=False
)
AsJSON = Annotated[bool, typer.Option("--json", help="Answer with one JSON object.")]


@app.command("list")
def list_keys(as_json: AsJSON = False) -> None:
    """List the keys, the oldest first."""
    keys = [_summary(key) for key in run(_list(read_settings()))]
    _told({"signing_keys": keys}, keys, as_json=as_json)


@app.command()
def rotate(
    now: Annotated[
        bool, typer.Option("--now", help="Sign with the new key in 10 s, not in an hour.")
    ] = False,
    withdraw: Annotated[
        str | None,
        typer.Option(metavar="KID", help="Take this key away at once, with all its tokens."),
    ] = None,
    as_json: AsJSON = False,
) -> None:
    """Publish the next key; it signs in an hour. No sign-in ends by that."""
    settings = read_settings()
    work = _rotate(settings, now=now) if withdraw is None else _withdraw(settings, withdraw)
    keys = [_summary(key) for key in run(work)]
    _told({"signing_keys": keys}, keys, as_json=as_json)


async def _list(settings: Settings) -> list[SigningKey]:
    async with opened_log(settings) as log, log.database.read() as session:
        return list(await list_signing_keys(session))


async def _rotate(settings: Settings, *, now: bool) -> list[SigningKey]:
    keyring = keyring_of(settings)
    private = await asyncio.to_thread(new_private_key)
    async with opened_log(settings) as log:
        signs_from = clock.utc_now() + (SETTLING if now else LEAD)
        async with log.unit("system") as unit:
            await publish_next(unit, keyring, private, signs_from=signs_from, actor=ACTOR)
            if now:
                await hasten_next(unit, actor=ACTOR)
    return await _list(settings)


async def _withdraw(settings: Settings, kid: str) -> list[SigningKey]:
    keyring = keyring_of(settings)
    spare = await asyncio.to_thread(new_private_key)
    async with opened_log(settings) as log, log.unit("system") as unit:
        await withdraw_key(unit, keyring, kid, spare=spare, actor=ACTOR)
    return await _list(settings)


def _summary(key: SigningKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "algorithm": key.algorithm,
        "state": key.state,
        "created_at": clock.rfc3339(key.created_at),
        "signs_from": None if key.activated_at is None else clock.rfc3339(key.activated_at),
        "verifies_until": None if key.retires_at is None else clock.rfc3339(key.retires_at),
    }


def _told(answer: dict[str, Any], keys: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(answer))
        return
    for key in keys:
        until = f", verifies until {key['verifies_until']}" if key["verifies_until"] else ""
        print(f"{key['id']}  {key['state']:<8}  signs from {key['signs_from']}{until}")
