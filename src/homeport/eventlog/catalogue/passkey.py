"""Facts of passkeys, on `account:<id>`."""

from __future__ import annotations

from homeport.eventlog.catalogue.base import Event


class PasskeyAdded(Event):
    """Its owner registered a passkey."""

    kind = "passkey.added"

    passkey_id: str
    name: str


class PasskeyRemoved(Event):
    """Its owner removed a passkey."""

    kind = "passkey.removed"

    passkey_id: str


class PasskeyMistrusted(Event):
    """A passkey signed rightly and its counter did not move on: there may be a copy. Refused."""

    kind = "passkey.mistrusted"

    passkey_id: str
    address: str | None = None
