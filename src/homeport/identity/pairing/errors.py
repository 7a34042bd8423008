"""What can go wrong while a device is paired.

Invalid ── PairingPending, PairingTooFast, PairingOver, PairingDenied    told to the device
NotFound ── PairingNotFound                                               told to its owner
Unavailable ── TooManyPairings
"""

from __future__ import annotations

from typing import ClassVar

from homeport.kernel.errors import Invalid, NotFound, Unavailable


class NotPaired(Invalid):
    """The device gets no tokens (now); `oauth` is the word of RFC 8628 section 3.5."""

    code = "device.not-paired"
    title = "This device is not paired"
    oauth: ClassVar[str] = "invalid_grant"


class PairingPending(NotPaired):
    """Nobody has said yes or no."""

    code = "device.authorization-pending"
    title = "Nobody has approved this device yet"
    oauth = "authorization_pending"


class PairingTooFast(NotPaired):
    """The device asks too often: it waits five seconds longer from now on."""

    code = "device.slow-down"
    title = "Ask less often"
    oauth = "slow_down"


class PairingOver(NotPaired):
    """The code is unknown, used, or older than its ten minutes; which of them is not told."""

    code = "device.expired-token"
    title = "This pairing is over: begin again"
    oauth = "expired_token"


class PairingDenied(NotPaired):
    """Somebody said no."""

    code = "device.access-denied"
    title = "This device was not let in"
    oauth = "access_denied"


class PairingNotFound(NotFound):
    """No device waits with this code."""

    code = "device.code-not-found"
    title = "No device waits with this code"


class TooManyPairings(Unavailable):
    """As many devices wait as there may be."""

    code = "device.too-many-waiting"
    title = "Too many devices wait to be paired"
