"""The two codes of a pairing: a long one that the device keeps, a short one that it shows.

The user code has eight consonants (RFC 8628 section 6.1): no word comes of them, none is taken for
another, and 20^8 are too many to guess at five in fifteen minutes.
"""

from __future__ import annotations

import secrets
from typing import Final

from homeport.identity.opaque import new_secret
from homeport.kernel.crypto import KeyRing

_ALPHABET: Final = "BCDFGHJKLMNPQRSTVWXZ"
_LENGTH, _HALF = 8, 4
_PURPOSE: Final = "pairing-user-codes"
DEVICE_MARK: Final = "hpd_"


def new_device_code() -> str:
    """256 bits that only the device knows."""
    return DEVICE_MARK + new_secret()


def new_user_code() -> str:
    """A code for people, as in `WDJB-MJHT`."""
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
    return f"{letters[:_HALF]}-{letters[_HALF:]}"


def read_user_code(typed: str) -> str | None:
    """The code as it was shown, whatever its case and whatever stands between; None: it is none."""
    letters = "".join(letter for letter in typed.upper() if letter.isalnum())
    if len(letters) != _LENGTH or not set(letters) <= set(_ALPHABET):
        return None
    return f"{letters[:_HALF]}-{letters[_HALF:]}"


def user_code_mac(keyring: KeyRing, user_code: str) -> bytes:
    """The digest under which a user code is kept."""
    return keyring.mac(_PURPOSE, user_code)


def user_code_macs(keyring: KeyRing, user_code: str) -> list[bytes]:
    """Each digest under which it may be kept: the server's secret may be newer than the code."""
    return list(keyring.macs(_PURPOSE, user_code))
