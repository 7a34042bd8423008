"""Facts of the keys with which people sign requests, on `account:<id>`."""

from __future__ import annotations

from homeport.eventlog.catalogue.base import Event


class RequestKeyAdded(Event):
    """Somebody registered a key, and proved to hold it."""

    kind = "request_key.added"

    request_key_id: str
    name: str
    thumbprint: str


class RequestKeyRemoved(Event):
    """A key was deleted; what it signs is refused."""

    kind = "request_key.removed"

    request_key_id: str
    thumbprint: str


class SignaturePolicyChanged(Event):
    """From now on a device's requests must be signed, or need not be any more."""

    kind = "signature_policy.changed"

    device_id: str
    signed_only: bool
