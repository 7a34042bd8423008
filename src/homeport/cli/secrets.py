"""`homeport secrets`: replaces the secret that everything sealed stands under, while servers run.

With the file (`DATA_DIR/secret.key`): the new secret is first made known to every server, then
seals, and then every sealed value is brought under it. With `SECRET_KEY` the operator does the
first two by restarting the servers twice, and the command does the third.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Annotated

import typer

from homeport.cli.database import ACTOR, opened_log, run
from homeport.cli.settings import read_settings
from homeport.eventlog import EventLog
from homeport.eventlog.catalogue.secret import SecretForgotten, SecretRotated
from homeport.kernel.crypto import KeyRing, SealForeign
from homeport.kernel.db.sealed import rewrap
from homeport.kernel.errors import Invalid
from homeport.kernel.secret_file import (
    SecretsInUse,
    load_secrets,
    new_secret,
    secrets_lock,
    store_secrets,
)
from homeport.settings import Settings
from homeport.wiring.secret import FOLLOW_S, SEALED, keyring_of, secret_file, secrets_of

SETTLING_S = 3 * FOLLOW_S
"""Every server has read the file by then."""

app = typer.Typer(
    help="The server's secret: rotate, forget.", no_args_is_help=True, add_completion=False
)
AsJSON = Annotated[bool, typer.Option("--json", help="Answer with one JSON object.")]


class SecretIsSet(Invalid):
    """The secret stands in the environment, which no command can change."""

    code = "secret.is-set"
    title = "The secret is set in the environment"


@app.command()
def rotate(as_json: AsJSON = False) -> None:
    """Replace the secret, and bring every sealed value under the new one; takes some seconds."""
    rows = run(_rotate(read_settings()))
    line = f"{rows} sealed values stand under the new secret. The one before is still known."
    print(json.dumps({"rows": rows}) if as_json else line)


@app.command()
def forget(as_json: AsJSON = False) -> None:
    """Take the secrets before the present one out of the file, once nothing stands under them."""
    count = run(_forget(read_settings()))
    print(json.dumps({"forgotten": count}) if as_json else f"{count} old secrets are forgotten.")


async def _rotate(settings: Settings) -> int:
    path = secret_file(settings)
    held = contextlib.nullcontext() if path is None else secrets_lock(path)
    async with opened_log(settings) as log:
        with held:
            if path is not None:
                await _replace(path)
            rows = await _rewrap_all(log, keyring_of(settings))
        async with log.unit("system") as unit:
            unit.append("system", SecretRotated(rows=rows), actor=ACTOR)
    return rows


async def _replace(path: Path) -> None:
    fresh, known = new_secret(), load_secrets(path)
    store_secrets(path, (*known, fresh))
    await _settled()
    store_secrets(path, (fresh, *known))
    await _settled()


async def _settled() -> None:
    """Returns when every server seals under the first secret in the file as it is now."""
    await asyncio.sleep(SETTLING_S)


async def _forget(settings: Settings) -> int:
    path = secret_file(settings)
    if path is None:
        raise SecretIsSet("Take it out of SECRET_KEY_PREVIOUS, after: homeport secrets rotate")
    async with opened_log(settings) as log:
        with secrets_lock(path):
            known = secrets_of(settings)
            if len(load_secrets(path)) > 1:
                # A `rotate` that was killed did not wait for the servers; until they have looked,
                # one of them may seal something under the secret that is to be forgotten.
                await _settled()
            await _rewrap_all(log, KeyRing(*known))
            # What everything stands under now is what is kept, whoever has edited the file since.
            if secrets_of(settings) != known:
                raise SecretsInUse(
                    f"{path} was changed meanwhile; nothing is forgotten. Try again."
                )
            count = len(load_secrets(path)) - 1
            store_secrets(path, known[:1])
        async with log.unit("system") as unit:
            unit.append("system", SecretForgotten(secrets=count), actor=ACTOR)
    return count


async def _rewrap_all(log: EventLog, keyring: KeyRing) -> int:
    """Brings all columns under the present secret; returns how many values that were.

    Raises:
        SealForeign: Some stand under a secret that is not known; the others are done.
    """
    rows = foreign = 0
    for sealed in SEALED:
        done = await rewrap(log.database, keyring, sealed)
        rows += done.rows
        foreign += done.foreign
    if foreign:
        raise SealForeign(
            f"{foreign} sealed values stand under a secret that is not known here: name it in "
            "SECRET_KEY_PREVIOUS and try again."
        )
    return rows
