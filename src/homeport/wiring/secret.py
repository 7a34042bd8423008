"""The secrets of this installation, for the server and for the commands that work beside it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from homeport.eventlog.seal import SealingKey
from homeport.identity.sealed import SEALED as IDENTITY
from homeport.kernel.crypto import KeyRing
from homeport.kernel.db import SealedColumn
from homeport.kernel.secret_file import load_secrets
from homeport.settings import Settings

FOLLOW_S: Final = 2.0
"""Seconds between two looks at the file: a command that changes it waits longer than that."""
SEALED: Final[tuple[SealedColumn, ...]] = IDENTITY
"""Every sealed column there is; a test compares it with the tables."""


def secret_file(settings: Settings) -> Path | None:
    """The file of the secrets; None when they are set in the environment."""
    return None if settings.secret_key is not None else settings.data_path / "secret.key"


def secrets_of(settings: Settings) -> tuple[bytes, ...]:
    """The present secret and those that still open; makes the file if it is needed and absent.

    Raises:
        SecretUnsafe: One is too short, or others may read the file.
    """
    previous = tuple(each.get_secret_value().encode() for each in settings.secret_key_previous)
    if settings.secret_key is not None:
        return (settings.secret_key.get_secret_value().encode(), *previous)
    return (*load_secrets(settings.data_path / "secret.key"), *previous)


def keyring_of(settings: Settings) -> KeyRing:
    """The keys of this installation.

    Raises:
        SecretUnsafe: A secret is too short, or others may read the file.
    """
    return KeyRing(*secrets_of(settings))


def sealing_keys(settings: Settings) -> set[bytes]:
    """The public keys that may have signed seals: of every secret that is known at this moment.

    Raises:
        SecretUnsafe: A secret is too short, or others may read the file.
    """
    return {SealingKey(KeyRing(secret)).public for secret in secrets_of(settings)}


class SecretFollower:
    """Takes over what `homeport secrets rotate` changes; the chore of a server with a file."""

    def __init__(self, settings: Settings, keyring: KeyRing) -> None:
        self._settings = settings
        self._keyring = keyring
        self._known: tuple[bytes, ...] = ()

    async def follow(self) -> None:
        """One look.

        Raises:
            SecretUnsafe: The file is not fit; the secrets stay as they were.
        """
        found = await asyncio.to_thread(secrets_of, self._settings)
        if found != self._known:
            self._keyring.use(*found)
            self._known = found
