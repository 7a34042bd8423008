"""Facts of devices that asked to be let in, on `account:<id>` of whoever decided."""

from __future__ import annotations

from homeport.eventlog.catalogue.base import Event


class PairingApproved(Event):
    """A device may fetch tokens of this account, once, while its code lasts."""

    kind = "pairing.approved"

    pairing_id: str
    device_name: str
    address: str | None = None


class PairingDenied(Event):
    """A device was not let in."""

    kind = "pairing.denied"

    pairing_id: str
    device_name: str
    address: str | None = None
