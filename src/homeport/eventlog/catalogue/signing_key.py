"""Facts of the keys that sign access tokens, on `system`. Beside `signing_key.created`."""

from __future__ import annotations

from homeport.eventlog.catalogue.base import Event


class SigningKeyScheduled(Event):
    """The next key will sign earlier than planned."""

    kind = "signing_key.scheduled"

    key_id: str
    signs_from: str


class SigningKeyActivated(Event):
    """A key signs from now on; the one that it replaces verifies until its tokens are gone."""

    kind = "signing_key.activated"

    key_id: str
    replaces: str | None = None


class SigningKeyRemoved(Event):
    """The tokens of a retired key are gone, and so is the key."""

    kind = "signing_key.removed"

    key_id: str


class SigningKeyWithdrawn(Event):
    """The operator took a key away; whatever it had signed is refused."""

    kind = "signing_key.withdrawn"

    key_id: str
